"""Figures for Prometheus, from one reading of everything a scrape. Imports `composition` and below.

`catalogue` names every metric. `source` reads side by side and never waits for long; `reading` says
what is read; `parts` turns what was read into points, purely; `collector` puts them together;
`service` answers HTTP.
"""
