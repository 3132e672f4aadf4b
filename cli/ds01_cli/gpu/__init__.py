"""`ds01 gpu`: slots, and who waits for them."""
