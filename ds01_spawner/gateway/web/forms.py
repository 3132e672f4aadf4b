"""What a form says. Pure."""

from collections.abc import Mapping, Sequence

from tornado.httputil import HTTPFile, HTTPHeaders, HTTPInputError, parse_body_arguments

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

MOST_FIELDS = 50


def form_of(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form; a file that was chosen is the text in it.

    Raises:
        InvalidRequest: It is no form, or holds what is not text.
    """
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    try:
        parse_body_arguments(content_type, body, fields, files, HTTPHeaders())
    except HTTPInputError as exc:
        raise InvalidRequest("The form cannot be read.", "Send it again.") from exc
    chosen = {name: [each.body for each in sent] for name, sent in files.items()}
    return {name: _text(name, values) for name, values in _merged(fields, chosen).items()}


def _merged(
    fields: Mapping[str, Sequence[bytes]], files: Mapping[str, Sequence[bytes]]
) -> dict[str, Sequence[bytes]]:
    # Where no file was chosen, browsers send an empty one without a name, which is read as a field.
    found = {name: [each for each in sent if each] or sent[:1] for name, sent in fields.items()}
    found.update({name: values for name, values in files.items() if any(values)})
    if len(found) > MOST_FIELDS:
        raise InvalidRequest(f"The form has {len(found)} fields; {MOST_FIELDS} are the most.")
    return found


def _text(name: str, values: Sequence[bytes]) -> str:
    if len(values) != 1:
        raise InvalidRequest(f"{shown(name)} is given {len(values)} times.", "Give it once.")
    try:
        # As browsers send the lines of a text field (https://html.spec.whatwg.org/#newlines).
        return values[0].decode().replace("\r\n", "\n").strip()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{shown(name)} is not UTF-8.") from None
