import pytest

from ds01_spawner.domain.process_place import Place, place_of

ID, OTHER = "a1" * 32, "b2" * 32


@pytest.mark.parametrize(
    "cgroup",
    [
        f"12:devices:/docker/{ID}\n4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n",
        f"4:memory:/ds01/student/alice/{ID}\n1:name=systemd:/ds01/student/alice/{ID}\n",
        f"4:cpu,cpuacct:/system.slice/docker-{ID}.scope\n0::/system.slice/containerd.service\n",
        f"0::/system.slice/docker-{ID}.scope\n",
        f"0::/ds01.slice/ds01-student.slice/ds01-student-alice.slice/docker-{ID}.scope\n",
        f"0::/docker/{ID}\n",
        f"0::/docker/{ID}/deeper/still\n",
        f"0::/system.slice/docker-{ID}.scope/docker/{OTHER}\n",
        f"0::/../../docker/{ID}\n",
        f"0::/docker/{ID} (deleted)\n",
        f"0::/machine.slice/libpod-{ID}.scope/container\n",
        f"0::/kubepods.slice/kubepods-pod7.slice/cri-containerd-{ID}.scope\n",
    ],
    ids=[
        *("v1-cgroupfs", "v1-person", "v1-systemd", "v2-systemd", "v2-person", "v2-cgroupfs"),
        *("deeper", "in-a-container", "namespace", "removed", "podman", "kubernetes"),
    ],
)
def test_a_container_is_known_wherever_its_parent_is(cgroup: str) -> None:
    assert place_of(cgroup) == Place((ID,))


@pytest.mark.parametrize(
    "cgroup",
    [
        "0::/\n",
        "0::/system.slice/ssh.service\n",
        "",
        "not a line\n",
        "::",
        f"0::/docker/{ID[:40]}\n",
        f"0::/docker/{ID.upper()}\n",
        f"0::/docker/{ID}x\n",
    ],
)
def test_what_names_no_container_is_none(cgroup: str) -> None:
    assert place_of(cgroup) == Place()


def test_a_login_session_is_known() -> None:
    cgroup = "0::/user.slice/user-1001.slice/session-3.scope\n"
    assert place_of(cgroup) == Place(session_uid=1001)


def test_what_somebody_calls_a_cgroup_of_their_session_is_not_believed() -> None:
    below = "user@1001.service/app.slice"
    cgroup = f"0::/user.slice/user-1001.slice/{below}/docker-{ID}.scope\n"
    assert place_of(cgroup) == Place(session_uid=1001)


def test_hierarchies_that_name_different_containers_name_both() -> None:
    assert place_of(f"4:memory:/docker/{OTHER}\n2:cpu:/docker/{ID}\n").containers == (ID, OTHER)
