"""What is done in a person's own home, whichever way they ask: command line or notebook.

Folders, keys, files for `ssh` and the steps of a first day. It runs as the person, asks the API
through `client`, and may import `client`, `recipes`, `handbook` and `domain`.
"""
