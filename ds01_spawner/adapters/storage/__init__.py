"""How much people's homes hold: folders that are walked, or quotas that the kernel keeps.

A process of its own looks into homes (`python -m ds01_spawner.adapters.storage`), so that only it
is niced and only it hangs where a file system does. It imports the standard library alone.
"""
