"""Wire models that the command line and the widgets share with the platform's services."""
