"""One pass of the lifecycle service, and what lies ahead of everybody's containers."""
