"""The ports' real halves: NVML, the Docker engine, the SQLite ledger, cgroups, files.

Imports `ports`, `policy` and `domain`; never an operation.
"""
