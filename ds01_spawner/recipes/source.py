"""Whether an image was built of the files that somebody has now. Pure."""

import hashlib
from collections.abc import Mapping


def source_digest(dockerfile: str, files: Mapping[str, str]) -> str:
    """Tells apart what a build reads: a Dockerfile, and what it copies from beside it.

    Args:
        dockerfile: Its text.
        files: Text of each file, by its path.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in (dockerfile, *(text for item in sorted(files.items()) for text in item)):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d\0" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()[:32]
