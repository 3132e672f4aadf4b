import pytest

from ds01_spawner.domain.closed_places import check_image_volumes, is_closed
from ds01_spawner.domain.errors import Forbidden


@pytest.mark.parametrize(
    "target",
    [
        "/etc",
        "/etc/group",
        "/proc/sys",
        "/sys",
        "/run/ds01/notices",
        "/var/run/nvidia-container-devices/all",
    ],
)
def test_the_kernels_and_the_platforms_places_are_closed(target: str) -> None:
    assert is_closed(target)
    with pytest.raises(Forbidden, match="has a volume at"):
        check_image_volumes("tool", ["/data", f"{target}/."])


@pytest.mark.parametrize("target", ["/etc/ssl", "/etc/groups", "/data", "/process", "/run/ds01x"])
def test_others_are_open(target: str) -> None:
    assert not is_closed(target)
    check_image_volumes("tool", [target])
