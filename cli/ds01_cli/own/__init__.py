"""Commands about oneself: login, limits, notices, reasons, more time."""
