"""What a Docker client may do: `endpoints` is the table, the other modules are its handlers."""
