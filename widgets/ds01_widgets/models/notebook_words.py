"""Advice that was written for a command line, in the words of a notebook. Pure."""

_IN_A_NOTEBOOK = (
    (
        "Add what it needs to compile: --apt build-essential --apt python3-dev;",
        "Add what it needs to compile to the system packages: build-essential and python3-dev;",
    ),
    ("A Python package goes to --pip instead.", "A Python package goes to the Python packages."),
    ("or take it out: ds01 image update NAME --remove.", "or take it out of the list."),
    (
        "Make some: ds01 image prune; ds01 image delete NAME.",
        "Make some: delete images of yours that you do not need.",
    ),
    ("ds01 check-limits shows your memory.", "MyLimits() shows your memory."),
    ("Look at your room with ds01 check-limits,", "Look at your room with MyLimits(),"),
    ("or choose another folder: --in FOLDER.", "or delete what you do not need."),
    ("say more: run it again with --verbose.", "say more: look at the log."),
    ("See: ds01 image list.", "Look again at the list."),
    ("See: GET /servers.", "Look at the list of your servers."),
)


def in_a_notebook(advice: str) -> str:
    """What to do, for somebody who types no commands."""
    for there, here in _IN_A_NOTEBOOK:
        advice = advice.replace(there, here)
    return advice
