"""What the platform knows and decides: GPUs, limits, allocation, queue order, names, labels.

Pure: no clock, environment, file or socket. Imports nothing of the platform but itself.
"""
