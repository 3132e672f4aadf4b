"""The service that warns, stops, gives back and repairs. Imports `composition` and below."""
