import errno
import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine.group_file import check_group_file, is_sound

PLAIN = """164 99 0:61 / / rw,relatime - overlay overlay rw
183 164 254:0 /var/lib/docker/containers/c2/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
79 164 0:63 /null /etc/group rw,nosuid - tmpfs tmpfs rw,mode=755
80 164 254:0 /home/alice/etc /work/etc rw - ext4 /dev/vda rw
"""


def test_a_mask_and_nothing_else_is_sound() -> None:
    assert is_sound(PLAIN.split("\n"))


@pytest.mark.parametrize(
    "line",
    [
        "81 164 254:0 /home/alice/group /etc/group rw - ext4 /dev/vda rw",
        "81 164 254:0 /home/alice/group//deleted /etc/group rw - ext4 /dev/vda rw",
        "81 164 254:0 /var/lib/docker/volumes/v/_data /etc rw - ext4 /dev/vda rw",
        "81 164 0:70 / /etc rw - tmpfs tmpfs rw",
    ],
)
def test_what_is_mounted_beneath_the_mask_is_not(line: str) -> None:
    assert not is_sound([line, *PLAIN.split("\n")])
    assert not is_sound([*PLAIN.split("\n"), line])


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESRCH, errno.EINVAL], ids=os.strerror)
def test_what_has_ended_meanwhile_has_no_mounts(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def ended(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", ended)
    check_group_file({"State": {"Pid": 7}, "Mounts": [{"Type": "bind", "Destination": "/work"}]})
