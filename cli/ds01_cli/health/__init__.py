"""`ds01 health`: on the server from the platform's files, else through the API."""
