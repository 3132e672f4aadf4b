"""What a build tells, in the words of whoever builds."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ds01_spawner.gateway.docker.images.progress_lines import line_of
from ds01_spawner.gateway.wire.call import Reply
from ds01_spawner.policy.image_references import without_namespace

OnOutput = Callable[[bytes], Awaitable[None]]
"""Takes lines of the build's JSON, whole ones, as Docker's clients read them."""

_JSON = {"Content-Type": "application/json"}
_MOST_KEPT = 256 * 1024


class OutputReply:
    """The engine's answer to a question of our own, as output; its errors are kept.

    Attributes:
        status: HTTP status of the engine's answer.
        error: What it said was wrong, where the status says so.
    """

    def __init__(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        self.status = 0
        self.error = b""

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer: never from what streams."""
        del headers
        self.status, self.error = status, line_of(value)

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        del headers
        self.status = status

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Keep the status; nothing goes to the client yet."""
        del headers
        self.status = status

    async def write(self, chunk: bytes) -> None:
        """Hand lines of output on, and keep those of an error."""
        if self.status >= 400:  # noqa: PLR2004 - HTTP's own boundary
            self.error += chunk
        else:
            await self._on_output(chunk)

    async def finish(self) -> None:
        """Nothing: whoever reads `status` knows that it is complete."""


class QuietOutput:
    """What `docker build -q` tells: the image's id, or all that led to a failure."""

    def __init__(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        self._kept: deque[bytes] = deque()
        self._size = 0

    async def write(self, lines: bytes) -> None:
        """Keep lines, the last ones where they are many."""
        self._kept.append(lines)
        self._size += len(lines)
        while self._size > _MOST_KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popleft())

    async def finish(self, image_id: str) -> None:
        """Tell how it ended; `image_id` is empty where it failed."""
        if image_id:
            await self._on_output(line_of({"stream": f"{image_id}\n"}))
        elif self._kept:
            await self._on_output(b"".join(self._kept))


class LateReply:
    """A client's answer that begins with its first line: until then it can still be an error."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.began = False

    async def write(self, lines: bytes) -> None:
        """Send lines; the first begins the answer, which is a success from then on."""
        if not self.began:
            self.began = True
            await self._reply.begin(200, _JSON)
        await self._reply.write(lines)

    async def finish(self) -> None:
        """End the answer, an empty one if there was no line."""
        if not self.began:
            self.began = True
            await self._reply.begin(200, _JSON)
        await self._reply.finish()


class Words:
    """Changes what the builder tells.

    Attributes:
        image_id: Id of the image that was made; empty while there is none.
    """

    def __init__(self, user: str, ids: Mapping[str, str]) -> None:
        """Take the person, and what they call the images that the builder knows by id."""
        self._user = user
        self._ids = ids
        self.image_id = ""

    def told(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """One message for the client."""
        aux = message.get("aux")
        if isinstance(aux, Mapping) and isinstance(aux.get("ID"), str):
            self.image_id = aux["ID"]
        changed = dict(message)
        for key in ("stream", "error"):
            if isinstance(message.get(key), str):
                changed[key] = self.own(message[key], with_ids=key == "error")
        detail = message.get("errorDetail")
        if isinstance(detail, Mapping) and isinstance(detail.get("message"), str):
            own = self.own(detail["message"], with_ids=True)
            changed["errorDetail"] = {**detail, "message": own}
        return changed

    def own(self, text: str, *, with_ids: bool = False) -> str:
        """A sentence in the person's words."""
        if with_ids or text.startswith("Step "):
            for image_id, word in self._ids.items():
                text = text.replace(image_id, word)
        return without_namespace(text, self._user)
