"""Ways past the platform: looked at, closed, watched, or granted for a time."""
