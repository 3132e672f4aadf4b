"""A builder of images that does what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.docker.build.handler import BuildResult
from ds01_spawner.gateway.docker.build.options import BuildOptions
from ds01_spawner.gateway.docker.build.output import OnOutput
from ds01_spawner.gateway.identity import Caller

BUILT = BuildResult("sha256:abc", "")


@dataclass
class FakeBuilder:
    """The API's `Builder`.

    Attributes:
        result: How builds end.
        lines: What they tell.
        error: What they raise instead.
        may_end: They wait for it.
        asked: Caller, context, options and door of each.
    """

    result: BuildResult = BUILT
    lines: tuple[bytes, ...] = (b'{"stream": "Step 1/1"}\n',)
    error: Exception | None = None
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[Caller, bytes, BuildOptions, Interface]] = field(default_factory=list)

    async def build(
        self,
        caller: Caller,
        context: AsyncIterator[bytes],
        options: BuildOptions,
        on_output: OnOutput,
        *,
        interface: Interface = Interface.DOCKER,
    ) -> BuildResult:
        content = b"".join([chunk async for chunk in context])
        self.asked.append((caller, content, options, interface))
        for line in self.lines:
            await on_output(line)
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return self.result
