"""The ledger in one SQLite file: what labels on containers cannot hold.

`tables` says how it is kept, `allocations`, `usage`, `lifecycle`, `notices` and `access` are the
parts of a transaction, `file` opens it and gets the lock, `look` looks whether it is whole. Losing
the file loses no allocation: labels on containers are the database of those.
"""

from ds01_spawner.adapters.ledger.file import SqliteLedger
from ds01_spawner.adapters.ledger.look import LedgerLook
from ds01_spawner.adapters.ledger.tables import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "LedgerLook", "SqliteLedger"]
