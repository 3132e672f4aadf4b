"""What all commands stand on: how they are found, helped with, asked, printed and guided."""
