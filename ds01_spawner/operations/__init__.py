"""What the platform does, step by step, on ports alone: each room is one part of its work.

Imports `ports`, `policy` and `domain`; never an adapter.
"""
