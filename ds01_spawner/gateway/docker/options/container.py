"""What a Docker client asks for with `POST /containers/create`: read once, and nothing unread.

https://docs.docker.com/reference/api/engine/version/v1.50/#tag/Container/operation/ContainerCreate
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import check_docker_name
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import MAX_SLOTS_PER_REQUEST
from ds01_spawner.gateway.docker.options.forbidden_fields import (
    check_config,
    check_host,
    checked_runtime,
    ipc_mode,
)
from ds01_spawner.gateway.docker.options.gpu import ALL, GpuAsked, environment_within, gpu_asked
from ds01_spawner.gateway.docker.options.labels import AskedLabels, asked_labels
from ds01_spawner.gateway.docker.options.limits import AskedLimits, asked_limits, check_limits
from ds01_spawner.gateway.docker.options.mounts import AskedMounts, asked_mounts
from ds01_spawner.gateway.docker.options.network import AskedNetwork, asked_network
from ds01_spawner.gateway.docker.options.process import host_wishes, process_wishes
from ds01_spawner.gateway.docker.options.user import AskedUser, asked_user
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.names import without_number
from ds01_spawner.gateway.docker.reading.parameters import one
from ds01_spawner.gateway.wire.call import Query


@dataclass(frozen=True, slots=True)
class AskedContainer:
    """A container as a Docker client wants it, checked as far as that goes without deciding.

    Attributes:
        name: What the person calls it; `None` when the platform is to choose.
        image: Image reference, as the client said it.
        labels: Labels to keep, and what others of them mean.
        gpu: GPU slots.
        limits: Bounds below the person's own.
        mounts: Everything to be mounted.
        network: How it is connected.
        user: Who runs inside.
        wishes: The rest in Docker's words, what of the body may be passed on: process, terminal,
            health check, restart policy, logs.
        warnings: What the client is told with the answer.
    """

    name: str | None
    image: str
    labels: AskedLabels = field(default_factory=AskedLabels)
    gpu: GpuAsked = field(default_factory=GpuAsked)
    limits: AskedLimits = field(default_factory=AskedLimits)
    mounts: AskedMounts = field(default_factory=AskedMounts)
    network: AskedNetwork = field(default_factory=AskedNetwork)
    user: AskedUser = field(default_factory=AskedUser)
    wishes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def interface(self) -> Interface:
        """The door, as the labels show it."""
        return self.labels.interface

    @property
    def project(self) -> str | None:
        """The project that it belongs to."""
        return self.labels.project

    @property
    def wait(self) -> timedelta | None:
        """How long to wait for a GPU slot; `None`: not at all."""
        return self.labels.wait

    @property
    def working_dir(self) -> str:
        """The working directory asked for; empty for the image's."""
        return str(self.wishes.get("WorkingDir", ""))


def asked_container(
    body: bytes, query: Query, account: UnixAccount, limits: Limits
) -> AskedContainer:
    """What is asked for.

    Args:
        body: The request's body, in any API version.
        query: Its parameter `name`.
        account: Who asks.
        limits: Their limits.

    Raises:
        Forbidden: Something that no container here may have, with what to do instead.
        QuotaExceeded: More than the person's limits.
        InvalidRequest: Something that makes no sense.
    """
    config = Fields.of(body)
    host = config.inner("HostConfig")
    name = _name(one(query, "name"), account.uid)
    image = config.text("Image")
    if not image:
        raise InvalidRequest("No image is given.", "Name one, such as ubuntu:24.04.")
    check_config(config)
    check_host(host)
    runtime = checked_runtime(host) or checked_runtime(config)  # docker-py says it here too
    labels, told_of_labels = asked_labels(config.text_entries("Labels"), account.name)
    wishes = process_wishes(config)
    gpu, told_of_gpu = gpu_asked(
        host.each("DeviceRequests"), runtime, _variables(wishes), labels.gpu_size
    )
    _, told_of_variables = environment_within(
        wishes.get("Env", ()), MAX_SLOTS_PER_REQUEST if gpu.count == ALL else gpu.count
    )
    bounds = asked_limits(host)
    check_limits(bounds, limits)
    user = asked_user(config, host, account, allow_image_user=limits.allow_image_user)
    mounts = asked_mounts(config, host)
    _check_no_folders(user, mounts)
    network, told_of_network = asked_network(config, host)
    host_config, told_of_process = host_wishes(host)
    host_config["IpcMode"] = ipc_mode(host)
    host.finish()
    config.finish()
    return AskedContainer(
        name=name,
        image=image,
        labels=labels,
        gpu=gpu,
        limits=bounds,
        mounts=mounts,
        network=network,
        user=user,
        wishes={**wishes, "HostConfig": host_config},
        warnings=(
            *told_of_gpu,
            *told_of_variables,
            *told_of_network,
            *told_of_process,
            *told_of_labels,
        ),
    )


def _name(text: str, uid: int) -> str | None:
    return check_docker_name(without_number(text, uid)) if text else None


def _variables(wishes: Mapping[str, Any]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in wishes.get("Env", ()))
    return {name: value for name, is_set, value in pairs if is_set}


def _check_no_folders(user: AskedUser, mounts: AskedMounts) -> None:
    if user.is_image_user and (mounts.binds or mounts.sources):
        raise Forbidden(
            "Your containers run as their image's user, root included (allow_image_user), so no "
            "folder of the server can be mounted into them.",
            "Use a volume (-v data:/data), or docker cp.",
        )
