"""What all tiers share: Python's search for garbage leaves alone what stays to the end."""

import gc


def pytest_configure() -> None:
    # Modules and tests are being collected: there is next to nothing to find, and each search goes
    # through all of it, which took a third of the time.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
