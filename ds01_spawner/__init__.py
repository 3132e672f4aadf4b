"""DS01: shares a lab's GPU server fairly between people, through every door.

Imports go down only: doors (`spawner`, `culler`) -> `composition` -> `operations`, `adapters`,
`client` -> `ports` -> `policy` -> `domain`. `lint-imports` holds this order.
"""

__version__ = "0.1.0"
