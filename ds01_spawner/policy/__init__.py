"""From YAML text to validated models to one person's `Limits`, each value with its origin.

Pure: text in, data out; reading and watching files is an adapter's work. Imports `domain` only.
"""
