"""`docker pull` by allow-list, and `docker import` of what the client sends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, Refused
from ds01_spawner.domain.image_size import KEY
from ds01_spawner.domain.units import amount_in_words
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.allowed import look_for_room, while_allowed
from ds01_spawner.gateway.docker.images.changes import (
    check_plain_labels,
    checked_changes,
    owner_change,
)
from ds01_spawner.gateway.docker.images.images import registry_login, wanted_reference
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.progress_lines import Progress, failure_line, line_of
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.docker.not_offered import NO_BUILDKIT
from ds01_spawner.gateway.docker.reading.image_names import engine_reference
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.policy.image_references import split_reference, without_namespace

LARGEST_IMPORT = 64 * 1024**3
_ARCHIVE_FACTOR, _ARCHIVE_LEAST = 2, 64 * 1024**2
"""An archive is larger than the files in it: by much, where they are many and small."""

_DONE = 300
_BUILDKIT = "moby/buildkit"
"""What `docker build` fetches where the plugin buildx is and BuildKit itself is refused."""


class Pull:
    """`POST /images/create`.

    Args:
        door: What handlers stand on.
        images: Finds images.
    """

    def __init__(self, door: Door, images: OwnImages) -> None:
        self._door = door
        self._engine = door.engine
        self._images = images
        self._new = NewImages(door, images)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /images/create": self.create}

    async def create(self, call: Call, reply: Reply) -> None:
        """Fetch an image, or make one of an archive."""
        if call.first("fromImage"):
            await self._pull(call, reply)
        elif call.first("fromSrc") == "-":
            await self._import(call, reply)
        elif call.first("fromSrc"):
            raise Forbidden(
                "docker import of an address would be fetched by the server, not by you.",
                "Fetch it here: curl ADDRESS | docker import - NAME.",
            )
        else:
            raise InvalidRequest("Neither fromImage nor fromSrc is given.")

    async def fetch(
        self, call: Call, reply: Reply, reference: str, *, with_login: bool = False
    ) -> str:
        """Let the engine fetch a reference that was checked; what went wrong, or nothing.

        Args:
            call: Who asks, and for which platform.
            reply: Gets the progress.
            reference: Canonical.
            with_login: Whether the client's login for the registry goes along.
        """
        repository, rest = split_reference(reference)
        tag, _at, digest = rest.removeprefix(":").partition("@")
        query = {"fromImage": [repository], "tag": [digest or tag]}
        if call.first("platform"):
            query["platform"] = [call.first("platform")]
        headers = registry_login(call) if with_login else {}
        progress = Progress(reply)
        outcome, reason = "failed", "cancelled"
        try:
            status = await self._engine.relay(
                call, progress, "POST", "/images/create", query, headers=headers
            )
            outcome, reason = ("failed" if status >= _DONE else "ok"), ""
        finally:
            if progress.failure:
                outcome, reason = "failed", progress.failure
            await self._tell(call, "image.pull", reference, outcome, reason)
        return progress.failure

    async def _pull(self, call: Call, reply: Reply) -> None:
        reference = engine_reference(_asked(call.first("fromImage"), call.first("tag")))
        rights = await self._images.rights(call.caller)
        if rights.catalogue.is_pullable(reference):
            await self.fetch(call, reply, reference, with_login=True)
            return
        await self._offered(call, reply, rights, reference)

    async def _offered(self, call: Call, reply: Reply, rights: ImageRights, reference: str) -> None:
        """What the catalogue offers is fetched where it is missing, and never replaced."""
        if not rights.is_shared(reference):
            await self._tell(call, "image.pull", reference, "refused", "not in pull_allowed")
            raise pull_refusal(reference, rights.catalogue.pull_choices())
        if await self._images.inspect(reference) is None:
            await self.fetch(call, reply, reference)
            return
        await reply.begin(200, {"Content-Type": "application/json"})
        await reply.write(line_of({"status": f"Status: Image is up to date for {reference}"}))
        await reply.finish()

    async def _import(self, call: Call, reply: Reply) -> None:
        user = call.caller.user
        await self._door.check_room(call.caller)
        changes = [*checked_changes(call.query.get("changes", ())), owner_change(user)]
        check_plain_labels(changes)
        query = {"fromSrc": ["-"], "changes": changes}
        name = ""
        if call.first("repo"):
            name = wanted_reference(call.first("repo"), call.first("tag"), user)
        for key in ("message", "platform"):
            if call.first(key):
                query[key] = [call.first(key)]
        limit = await self._new.limit(call.caller)
        imported = _Imported(reply)
        progress = Progress(imported, imported.told)
        importing = self._engine.relay(
            call,
            progress,
            "POST",
            "/images/create",
            query,
            stream=_bounded(call, limit),
            headers={"Content-Type": "application/x-tar"},
        )
        outcome, reason = "failed", "cancelled"
        try:
            status = await while_allowed(importing, look_for_room(self._door, call.caller))
            if progress.failure or status >= _DONE:
                reason = progress.failure
            else:
                await self._new.keep(call.caller, imported.image_id, [name] if name else [])
                outcome, reason = "ok", ""
        except DS01Error as exc:
            outcome = "refused" if isinstance(exc, Refused) else "failed"
            reason = exc.logged
            if not imported.began:
                raise
            await reply.write(failure_line(str(exc.told_to(administrator=call.caller.is_admin))))
        finally:
            await self._tell(call, "image.import", name, outcome, reason)
        if imported.began:
            await reply.finish()

    async def _tell(
        self, call: Call, action: str, reference: str, outcome: str, reason: str
    ) -> None:
        own_words = without_namespace(reason, call.caller.user)
        note = self._door.note(call.caller, action, reference, outcome=outcome, reason=own_words)
        await asyncio.shield(note)


class _Imported:
    """The answer to `docker import`: it ends when the image was looked at.

    Attributes:
        began: Whether the client was told that it goes well.
        image_id: What was made.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.began = False
        self.image_id = ""

    def told(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take note of the image's id, which is handed on."""
        text = message.get("status")
        if isinstance(text, str) and text.startswith("sha256:"):
            self.image_id = text
        return message

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer: an error."""
        await self._reply.json(value, status, headers)

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        await self._reply.empty(status, headers)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head."""
        self.began = True
        await self._reply.begin(status, headers)

    async def write(self, chunk: bytes) -> None:
        """What the engine tells."""
        await self._reply.write(chunk)

    async def finish(self) -> None:
        """Nothing yet."""


async def _bounded(call: Call, limit: SizeLimit) -> AsyncIterator[bytes]:
    largest, why = LARGEST_IMPORT, ""
    if limit.largest_bytes is not None:
        longest = _ARCHIVE_FACTOR * limit.largest_bytes + _ARCHIVE_LEAST
        if longest < largest:
            largest, why = longest, f": {KEY}, {limit.where}"
    size = 0
    async for chunk in call.body.chunks():
        size += len(chunk)
        if size > largest:
            raise InvalidRequest(f"More than {amount_in_words(largest)} cannot be imported{why}.")
        yield chunk


def pull_refusal(reference: str, choices: str) -> Forbidden:
    """Why an image is not fetched, for who may not know that they asked for it.

    Args:
        reference: Canonical.
        choices: What may be fetched, as a sentence.
    """
    if split_reference(reference)[0] == _BUILDKIT:
        return Forbidden(*NO_BUILDKIT)
    return Forbidden(f"The image {reference} may not be fetched.", choices)


def _asked(image: str, tag: str) -> str:
    """One reference of the two parameters; without a tag not all of them, as in the engine."""
    if not tag:
        return image
    repository, _rest = split_reference(image)
    return f"{repository}@{tag}" if ":" in tag else f"{repository}:{tag}"
