"""How much one object may add to a list of everybody's. Pure.

Some answers of the engine are about all containers, volumes or images, and are read whole.
"""

from collections.abc import Iterable, Mapping

from ds01_spawner.domain.errors import InvalidRequest

MOST_LABEL_BYTES = 32 * 1024


def check_labels_fit(*given: Mapping[str, str], whose: str = "The labels") -> None:
    """Return when labels are short enough together; of one that is said twice, the last counts.

    Args:
        given: Labels, the inherited ones first.
        whose: Begins the sentence that refuses them.

    Raises:
        InvalidRequest: They are too long.
    """
    together = {key: value for marks in given for key, value in marks.items()}
    check_size(f"{whose} have", [*together, *together.values()], MOST_LABEL_BYTES)


def check_size(begun: str, texts: Iterable[str], most: int) -> None:
    """Return when texts are short enough together.

    Args:
        begun: Begins the sentence that refuses them.
        texts: What is counted.
        most: So many bytes.

    Raises:
        InvalidRequest: They are too long.
    """
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > most:
        raise InvalidRequest(f"{begun} {size:,} bytes; {most:,} are allowed.", "Shorten them.")
