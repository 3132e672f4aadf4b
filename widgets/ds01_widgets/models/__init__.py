"""What the wizards know and decide, without a widget: to be used by views, scripts and tests.

Imports neither ipywidgets nor IPython.
"""
