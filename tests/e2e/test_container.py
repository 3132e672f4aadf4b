"""The container that Docker really made is the one that the policy describes."""

import json

from ds01_spawner.domain import labels, names
from ds01_spawner.domain.grant import IMAGE_HOME, NOTICES
from e2e.hub import Hub
from e2e.lab_config import STARTER


def test_container_is_what_the_policy_says(hub: Hub) -> None:
    person = hub.person("exact")
    person.start(gpu="mig", project="thesis-2026")
    made = person.inspect()
    explained = json.loads(hub.ds01("policy", "explain", person.name, "--json"))
    limits = {key: found["value"] for key, found in explained["limits"].items()}
    slot = hub.slots()[person.slot()]

    host = made["HostConfig"]
    assert host["Memory"] == limits["memory"]
    assert host["MemorySwap"] == limits["memory_swap"]
    assert host["CpuQuota"] / host["CpuPeriod"] == limits["max_cpus"]
    assert host["PidsLimit"] == limits["pids_limit"]
    assert host["ShmSize"] == limits["shm_size"]
    assert host["CgroupParent"] == hub.platform.cgroups.parent(explained["group"], person.name)
    assert [(each["Driver"], each["DeviceIDs"]) for each in host["DeviceRequests"]] == [
        ("nvidia", [slot["uuid"]])
    ]
    assert not host["Privileged"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["NetworkMode"] == names.network_name(person.name)
    assert host["IpcMode"] == "private"
    assert not host["PidMode"]
    assert not host["PortBindings"]
    assert made["Config"]["User"] == "1000:1000"
    mounts = {each["Destination"]: each for each in made["Mounts"]}
    assert mounts.keys() == {IMAGE_HOME, NOTICES}
    home, notices = mounts[IMAGE_HOME], mounts[NOTICES]
    assert (home["Type"], home["Name"]) == ("volume", names.home_volume(person.name))
    assert home["RW"]
    assert (notices["Type"], notices["Source"]) == ("bind", _notices(hub, person.name))
    assert not notices["RW"]

    marks = made["Config"]["Labels"]
    allocated = hub.events("gpu.allocate", person.name)[-1]
    assert {key: value for key, value in marks.items() if key.startswith("ds01.")} == {
        labels.MANAGED: "true",
        labels.USER: person.name,
        labels.GROUP: explained["group"],
        labels.INTERFACE: "hub",
        labels.NAME: "jupyter",
        labels.PROJECT: "thesis-2026",
        labels.IMAGE: STARTER,
        labels.CREATED_AT: marks[labels.CREATED_AT],
        labels.CGROUP_PARENT: host["CgroupParent"],
        labels.GPU_SLOTS: slot["slot"],
        labels.GPU_UUIDS: slot["uuid"],
        labels.GPU_EQUIVALENTS: f"{slot['equivalents']:.4g}",
        labels.GPU_ALLOCATED_AT: marks[labels.CREATED_AT],
        labels.PRIORITY: str(limits["priority"]),
        labels.PROTECTED: "false",
        labels.INSTANCE: hub.instance,
    }
    assert allocated["resource"] == slot["slot"]
    assert (slot["state"], slot["user"]) == ("allocated", person.name)
    assert f"NVIDIA_VISIBLE_DEVICES={slot['uuid']}" in made["Config"]["Env"]


def test_kernel_bounds_the_person_as_the_policy_says(hub: Hub) -> None:
    person = hub.person("bounded")
    person.start()
    explained = json.loads(hub.ds01("policy", "explain", person.name, "--json"))
    limits = explained["limits"]
    usage = hub.platform.cgroups.usage(explained["group"], person.name)
    assert usage is not None
    assert usage.limits.memory_bytes == limits["aggregate.memory"]["value"]
    assert usage.limits.pids == limits["aggregate.pids"]["value"]
    assert usage.limits.cpus == limits["aggregate.cpus"]["value"]


def test_container_without_a_gpu_gets_none(hub: Hub) -> None:
    person = hub.person("frugal")
    person.start()
    made = person.inspect()
    assert not made["HostConfig"]["DeviceRequests"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in made["Config"]["Env"]
    assert labels.GPU_UUIDS not in made["Config"]["Labels"]


def _notices(hub: Hub, user: str) -> str:
    return str(hub.state / "notices" / names.user_slug(user))
