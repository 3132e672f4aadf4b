"""From a grant to a running container, through its starts and stops, to its removal."""
