"""The service that repairs what a crash left behind. Imports `composition` and below."""
