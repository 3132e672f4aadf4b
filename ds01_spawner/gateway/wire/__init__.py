"""HTTP on both sides of the gateway: clients' connections, the engine's, and the streams between.

Knows nothing of policy. `call` is what handlers see of it.
"""
