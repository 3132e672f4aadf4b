"""Door 2: an unmodified Docker client, and the API for everything else.

`wire` is HTTP, streams and the way to the engine; `docker` is what a Docker client may do, by the
table `endpoints`; `api` is the platform's own API. `service` puts them on their sockets. May import
everything but other doors.
"""
