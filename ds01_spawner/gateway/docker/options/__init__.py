"""What a client may ask of a container: each field read, bounded or refused. Pure."""
