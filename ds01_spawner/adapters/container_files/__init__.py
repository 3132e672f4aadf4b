"""Files of a container, read and written from within it as its owner: `docker cp`.

The engine would do it as root, through every folder of the host that is mounted there. Run as
`python -I -m ds01_spawner.adapters.container_files`; this module imports nothing for its sake.
"""
