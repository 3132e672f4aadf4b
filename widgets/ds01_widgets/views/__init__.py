"""The models as ipywidgets: one module a wizard, and what they share in `parts` and `view`."""
