"""People of the platform: how they come, what is known of them, and how they leave."""
