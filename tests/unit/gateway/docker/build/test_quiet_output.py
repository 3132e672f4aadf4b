import json

from ds01_spawner.gateway.docker.build.output import QuietOutput

KIB = 1024


class Told:
    def __init__(self) -> None:
        self.lines = b""

    async def write(self, lines: bytes) -> None:
        self.lines += lines


async def test_a_build_that_went_well_tells_its_id() -> None:
    told = Told()
    quiet = QuietOutput(told.write)
    await quiet.write(b"much\n")
    await quiet.finish("sha256:1")
    assert json.loads(told.lines) == {"stream": "sha256:1\n"}


async def test_a_build_that_failed_tells_all_of_it() -> None:
    told = Told()
    quiet = QuietOutput(told.write)
    for line in (b"a\n", b"b\n"):
        await quiet.write(line)
    await quiet.finish("")
    assert told.lines == b"a\nb\n"


async def test_of_very_much_the_end_is_told() -> None:
    told = Told()
    quiet = QuietOutput(told.write)
    for number in range(100):
        await quiet.write(b"%02d" % number * 8 * KIB)
    await quiet.finish("")
    assert len(told.lines) <= 256 * KIB
    assert told.lines.endswith(b"99")
