"""What the platform does, step by step, on ports alone: admission, queue, launch, reconcile.

Imports `ports`, `policy` and `domain`; never an adapter.
"""
