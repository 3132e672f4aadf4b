from dataclasses import asdict, replace

import pytest

from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.grant import (
    Placement,
    Site,
    container_spec,
    with_door,
    without_device_requests,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from fakes.clock import EPOCH
from fakes.probe import small_lab

GIB = 1024**3
SLOTS = {slot.id: slot for slot in small_lab().slots}
SITE = Site(instance="here", io_device="/dev/sda")
LIMITS = Limits(
    group="student",
    priority=10,
    max_cpus=8,
    memory_bytes=32 * GIB,
    memory_swap_bytes=48 * GIB,
    shm_size_bytes=8 * GIB,
    pids_limit=2048,
    io_read_bps=500 * 1024**2,
    io_write_bps=200 * 1024**2,
)
UNLIMITED = Limits(
    group=None,
    priority=50,
    max_cpus=None,
    memory_bytes=None,
    memory_swap_bytes=48 * GIB,
    shm_size_bytes=None,
    pids_limit=None,
)
REQUEST = LaunchRequest(
    user="Jürgen@x.org",
    name="thesis-run",
    interface=Interface.HUB,
    image="ds01/starter:latest",
    gpu=GpuRequest.parse("mig"),
    project="thesis",
)
ALICE = UnixAccount(
    "alice", 1001, 1002, "/home/alice", groups=("alice", "gpu"), group_ids=(1002, 2000)
)


def test_the_whole_description_for_somebody_whom_the_hub_alone_knows() -> None:
    placement = Placement(
        account=None,
        cgroup_parent="/ds01/student/jurgen",
        slots=(SLOTS["0:1"], SLOTS["2"]),
        notices="/var/lib/ds01/notices/jurgen",
        granted_at=EPOCH,
    )
    slug = container_spec(REQUEST, LIMITS, placement, SITE).name.removeprefix("thesis-run._.")
    assert asdict(container_spec(REQUEST, LIMITS, placement, SITE)) == {
        "name": f"thesis-run._.{slug}",
        "image": "ds01/starter:latest",
        "labels": {
            "ds01.managed": "true",
            "ds01.user": "Jürgen@x.org",
            "ds01.interface": "hub",
            "ds01.name": "thesis-run",
            "ds01.image": "ds01/starter:latest",
            "ds01.created_at": "2026-01-31T12:00:00.000000Z",
            "ds01.cgroup_parent": "/ds01/student/jurgen",
            "ds01.priority": "10",
            "ds01.protected": "false",
            "ds01.instance": "here",
            "ds01.group": "student",
            "ds01.project": "thesis",
            "ds01.gpu.slots": "0:1,2",
            "ds01.gpu.uuids": "MIG-lab-0-1,GPU-lab-2",
            "ds01.gpu.equivalents": "1.286",
            "ds01.gpu.allocated_at": "2026-01-31T12:00:00.000000Z",
        },
        "cgroup_parent": "/ds01/student/jurgen",
        "network": f"ds01-{slug}",
        "user": "1000:1000",
        "group_add": (),
        "cpus": 8,
        "memory_bytes": 32 * GIB,
        "memory_swap_bytes": 48 * GIB,
        "shm_size_bytes": 8 * GIB,
        "pids_limit": 2048,
        "io_device": "/dev/sda",
        "io_read_bps": 500 * 1024**2,
        "io_write_bps": 200 * 1024**2,
        "gpu_uuids": ("MIG-lab-0-1", "GPU-lab-2"),
        "use_device_requests": True,
        "environment": {
            "HOME": "/home/jovyan",
            "USER": "Jürgen@x.org",
            "NVIDIA_VISIBLE_DEVICES": "MIG-lab-0-1,GPU-lab-2",
            "DS01_CONTAINER": "thesis-run",
            "DS01_GPU_SLOTS": "0:1,2",
            "DS01_PROJECT": "thesis",
        },
        "command": None,
        "working_dir": "/home/jovyan",
        "hostname": "thesis-run",
        "exposed_ports": (),
        "mounts": (
            {
                "kind": "volume",
                "source": f"ds01-home-{slug}",
                "target": "/home/jovyan",
                "read_only": False,
                "no_copy": False,
                "labels": (),
            },
            {
                "kind": "bind",
                "source": "/var/lib/ds01/notices/jurgen",
                "target": "/run/ds01",
                "read_only": True,
                "no_copy": False,
                "labels": (),
            },
        ),
        "cap_drop": ("ALL",),
        "cap_add": (),
        "security_opt": ("no-new-privileges",),
        "use_init": True,
        "log_max_bytes": 10 * 1024**2,
        "wishes": {},
    }


def test_the_main_group_is_not_among_those_that_are_added() -> None:
    request = LaunchRequest("alice", "jupyter", Interface.HUB, "ds01-alice/own:latest")
    placement = Placement(ALICE, "/ds01/student/alice", granted_at=EPOCH)

    spec = container_spec(request, UNLIMITED, placement, Site("here"))

    assert (spec.user, spec.group_add) == ("1001:1002", tuple(set(ALICE.group_ids) - {1002}))


def test_the_whole_description_for_somebody_with_a_unix_account_and_no_limits() -> None:
    request = LaunchRequest("alice", "jupyter", Interface.CLI, "image")
    placement = Placement(ALICE, "ds01-no.group-alice.slice", granted_at=EPOCH)
    assert asdict(container_spec(request, UNLIMITED, placement, Site("here"))) == {
        "name": "jupyter._.alice",
        "image": "image",
        "labels": {
            "ds01.managed": "true",
            "ds01.user": "alice",
            "ds01.interface": "cli",
            "ds01.name": "jupyter",
            "ds01.image": "image",
            "ds01.created_at": "2026-01-31T12:00:00.000000Z",
            "ds01.cgroup_parent": "ds01-no.group-alice.slice",
            "ds01.priority": "50",
            "ds01.protected": "false",
            "ds01.instance": "here",
        },
        "cgroup_parent": "ds01-no.group-alice.slice",
        "network": "ds01-alice",
        "user": "1001:1002",
        "group_add": (2000,),
        "cpus": None,
        "memory_bytes": None,
        "memory_swap_bytes": None,
        "shm_size_bytes": None,
        "pids_limit": None,
        "io_device": None,
        "io_read_bps": None,
        "io_write_bps": None,
        "gpu_uuids": (),
        "use_device_requests": True,
        "environment": {
            "HOME": "/home/alice",
            "USER": "alice",
            "NVIDIA_VISIBLE_DEVICES": "void",
            "DS01_CONTAINER": "jupyter",
            "DS01_GPU_SLOTS": "",
        },
        "command": None,
        "working_dir": "/home/alice",
        "hostname": "jupyter",
        "exposed_ports": (),
        "mounts": (
            {
                "kind": "bind",
                "source": "/home/alice",
                "target": "/home/alice",
                "read_only": False,
                "no_copy": False,
                "labels": (),
            },
        ),
        "cap_drop": ("ALL",),
        "cap_add": (),
        "security_opt": ("no-new-privileges",),
        "use_init": True,
        "log_max_bytes": 10 * 1024**2,
        "wishes": {},
    }


def spec_with(limits: Limits) -> ContainerSpec:
    return container_spec(REQUEST, limits, Placement(None, "/ds01/a/b", granted_at=EPOCH), SITE)


@pytest.mark.parametrize(
    ("own", "together", "given"),
    [(8, None, 8), (8, 4, 4), (4, 8, 4), (None, 4, 4), (None, None, None), (0.5, 0.25, 0.25)],
)
def test_a_container_has_no_more_cpus_than_all_of_the_persons_together(
    own: float | None, together: float | None, given: float | None
) -> None:
    limits = Limits(max_cpus=own, aggregate=AggregateLimits(cpus=together))
    assert spec_with(limits).cpus == given


@pytest.mark.parametrize(
    ("memory", "swap", "given"),
    [(32, 48, 48), (32, 32, 32), (32, 16, 32), (None, 16, None), (32, None, None)],
)
def test_memory_with_swap_is_as_the_engine_wants_it(
    memory: int | None, swap: int | None, given: int | None
) -> None:
    limits = Limits(memory_bytes=memory, memory_swap_bytes=swap)
    assert spec_with(limits).memory_swap_bytes == given


def test_a_simulated_gpu_says_so_inside() -> None:
    placement = Placement(None, "", slots=(SLOTS["2"],), simulated=True, granted_at=EPOCH)
    spec = container_spec(REQUEST, LIMITS, placement, SITE)
    assert spec.environment["DS01_GPU_SIMULATED"] == "1"
    without = container_spec(REQUEST, LIMITS, replace(placement, slots=()), SITE)
    assert "DS01_GPU_SIMULATED" not in without.environment


def test_a_door_adds_and_cannot_take_away() -> None:
    placement = Placement(None, "", slots=(SLOTS["2"],), granted_at=EPOCH)
    spec = container_spec(REQUEST, LIMITS, placement, SITE)
    forged = {"NVIDIA_VISIBLE_DEVICES": "all", "DS01_GPU_SLOTS": "0", "TOKEN": "x"}
    dressed = with_door(spec, command=("jupyterhub-singleuser",), environment=forged, ports=(8888,))
    assert dressed == replace(
        spec,
        command=("jupyterhub-singleuser",),
        environment={"TOKEN": "x", **spec.environment},
        exposed_ports=(8888,),
    )
    assert dressed.environment["NVIDIA_VISIBLE_DEVICES"] == "GPU-lab-2"


def test_an_engine_without_a_gpu_driver_is_given_devices_by_environment_alone() -> None:
    placement = Placement(None, "", slots=(SLOTS["2"],), granted_at=EPOCH)
    spec = container_spec(REQUEST, LIMITS, placement, SITE)
    plain = without_device_requests(spec)
    assert plain == replace(spec, use_device_requests=False)
    assert plain.gpu_uuids == ("GPU-lab-2",)


def test_a_home_is_one_mount() -> None:
    assert spec_with(LIMITS).mounts[0].kind == "volume"
    placement = Placement(ALICE, "", granted_at=EPOCH)
    assert container_spec(REQUEST, LIMITS, placement, SITE).mounts == (
        Mount("bind", "/home/alice", "/home/alice"),
    )
