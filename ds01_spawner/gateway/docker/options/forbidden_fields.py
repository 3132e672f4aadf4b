"""What no container made here may have, and what to do instead: one table.

Each is a field of Docker's `HostConfig` or `Config`
(https://docs.docker.com/reference/api/engine/version/v1.50/#tag/Container/operation/ContainerCreate)
with what a person calls it. A field that says nothing (null, false, 0, empty) or what is `harmless`
passes, and is dropped: the platform sets its own.
"""

from dataclasses import dataclass

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.reading.go_json import Fields, is_empty

LOCAL_VOLUMES = "Volumes have the driver `local` and no driver options here."
_LEAVE_OUT = "Leave it out."


@dataclass(frozen=True, slots=True)
class Refusal:
    """One field that must say nothing.

    Attributes:
        field: Its name.
        reason: Why not, as a sentence.
        next_step: What to do instead.
        harmless: Values that ask for nothing but what is so anyhow.
    """

    field: str
    reason: str
    next_step: str = _LEAVE_OUT
    harmless: tuple[object, ...] = ()


HOST_REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "Privileged",
        "--privileged would give a container the whole server.",
        "Leave it out; GPUs come with --gpus.",
    ),
    Refusal(
        "PidMode",
        "--pid would show a container processes that are not its own.",
        "Leave it out; docker top shows a container's processes.",
        ("private",),
    ),
    Refusal(
        "UTSMode",
        "--uts host would let a container rename the server.",
        "Leave it out; --hostname names the container.",
        ("private",),
    ),
    Refusal(
        "UsernsMode",
        "--userns host would take the container's users for the server's.",
        harmless=("private",),
    ),
    Refusal(
        "CgroupnsMode",
        "--cgroupns host would show a container everybody's cgroups.",
        harmless=("private",),
    ),
    Refusal("Cgroup", "A container cannot join the cgroup of another."),
    Refusal(
        "CgroupParent",
        "--cgroup-parent is set by the platform: it is where your limits are.",
        "Leave it out; ask an administrator for higher limits.",
    ),
    Refusal(
        "Devices",
        "--device would give a container a device of the server.",
        "Leave it out; GPUs come with --gpus.",
    ),
    Refusal("DeviceCgroupRules", "--device-cgroup-rule would open devices of the server."),
    Refusal(
        "Sysctls",
        "--sysctl would change how the kernel works.",
        "Leave it out, or ask an administrator to set it for everybody.",
    ),
    Refusal("OomKillDisable", "--oom-kill-disable would let a container freeze the server."),
    Refusal(
        "OomScoreAdj",
        "--oom-score-adj is set by the platform, so that the server survives when memory runs out.",
        harmless=(500,),
    ),
    Refusal("StorageOpt", "--storage-opt is not available here."),
    Refusal(
        "VolumeDriver",
        LOCAL_VOLUMES,
        "Leave --volume-driver out.",
        ("local",),
    ),
    Refusal("Annotations", "--annotation is read by runtimes that are not used here."),
    Refusal("Isolation", "--isolation is for Windows.", harmless=("default",)),
    Refusal("CpuRealtimePeriod", "Real-time scheduling would starve everybody else's programs."),
    Refusal("CpuRealtimeRuntime", "Real-time scheduling would starve everybody else's programs."),
    Refusal("CpuCount", "--cpu-count is for Windows.", "Use --cpus."),
    Refusal("CpuPercent", "--cpu-percent is for Windows.", "Use --cpus."),
    Refusal("IOMaximumIOps", "--io-maxiops is for Windows.", "Use --device-read-bps."),
    Refusal("IOMaximumBandwidth", "--io-maxbandwidth is for Windows.", "Use --device-read-bps."),
    Refusal("KernelMemory", "--kernel-memory is not available here.", "Use --memory.", (-1,)),
    Refusal("KernelMemoryTCP", "Kernel memory is not limited apart.", "Use --memory.", (-1,)),
    Refusal("BlkioWeightDevice", "Weights by device are not available.", "Use --blkio-weight."),
    Refusal(
        "BlkioDeviceReadIOps", "Limits in operations are not available.", "Use --device-read-bps."
    ),
    Refusal(
        "BlkioDeviceWriteIOps", "Limits in operations are not available.", "Use --device-write-bps."
    ),
)

CONFIG_REFUSALS: tuple[Refusal, ...] = (
    Refusal("MacAddress", "--mac-address could take another machine's place on the network."),
)

_IGNORED_HOST_FIELDS = ("ContainerIDFile", "ConsoleSize")
_IGNORED_CONFIG_FIELDS = ("OnBuild", "ArgsEscaped")

_RUNTIMES = frozenset({"", "runc", "io.containerd.runc.v2", "nvidia"})
_NO_NEW_PRIVILEGES = frozenset(
    {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}
)


def refuse(fields: Fields, refusals: tuple[Refusal, ...]) -> None:
    """Return when none of the fields says anything.

    Raises:
        Forbidden: One does.
    """
    for each in refusals:
        value = fields.take(each.field)
        # By `is`, or True would pass for 1.
        harmless = any(type(value) is type(good) and value == good for good in each.harmless)
        if not harmless and not is_empty(value):
            raise Forbidden(each.reason, each.next_step)


def check_host(host: Fields) -> None:
    """Return when nothing in `HostConfig` takes a container out of its bounds.

    Raises:
        Forbidden: Something would.
        InvalidRequest: A field is of the wrong type.
    """
    refuse(host, HOST_REFUSALS)
    host.drop(*_IGNORED_HOST_FIELDS)
    for name in ("MaskedPaths", "ReadonlyPaths"):
        # Not empty but absent is what keeps Docker's own list: [] unmasks everything.
        if host.take(name) is not None:
            raise Forbidden(
                f"{name} (--security-opt systempaths) would open parts of the kernel.", _LEAVE_OUT
            )
    for option in host.texts("SecurityOpt") or ():
        if option not in _NO_NEW_PRIVILEGES:
            raise Forbidden(
                f"--security-opt {shown(option)} would weaken what keeps containers apart.",
                "Leave it out; no-new-privileges is set anyhow.",
            )


def checked_runtime(fields: Fields) -> str:
    """The runtime asked for, which only says whether GPUs are wanted; empty without one.

    Raises:
        Forbidden: It is one that is not available.
    """
    runtime = fields.text("Runtime")
    if runtime not in _RUNTIMES:
        raise Forbidden(
            f"The runtime {shown(runtime)} is not available here.",
            "Leave --runtime out; GPUs come with --gpus.",
        )
    return runtime


def ipc_mode(host: Fields) -> str:
    """`none`, or `private`, which is what one's own shared memory is.

    Raises:
        Forbidden: It is somebody else's.
    """
    mode = host.text("IpcMode")
    if mode == "none":
        return mode
    if mode not in {"", "private", "shareable"}:
        raise Forbidden(
            f"--ipc {shown(mode)} would share memory with other containers or the server.",
            "Leave it out; --shm-size makes a container's own shared memory larger.",
        )
    return "private"


def check_config(config: Fields) -> None:
    """Return when nothing in `Config` takes a container out of its bounds.

    Raises:
        Forbidden: Something would.
    """
    refuse(config, CONFIG_REFUSALS)
    config.drop(*_IGNORED_CONFIG_FIELDS)
