"""The engine as one person sees it."""
