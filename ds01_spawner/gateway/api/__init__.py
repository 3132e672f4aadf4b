"""The platform's own API: what a Docker client cannot ask, for programs, widgets and web pages.

`routes` is the table of everything that may be asked, `application` serves it on the Unix socket
and as JupyterHub's service `ds01`; `openapi` describes it. The other modules answer.
"""
