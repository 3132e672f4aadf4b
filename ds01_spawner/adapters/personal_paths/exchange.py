"""What both ends of the socket to a person's process know; imports nothing."""

LONGEST_MESSAGE = 64 * 1024
