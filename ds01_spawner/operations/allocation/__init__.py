"""Who gets which slot: admission, the queue, limits, and what could be had now."""
