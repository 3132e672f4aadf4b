"""What a Docker client may do: the handlers of the table `gateway.endpoints`."""
