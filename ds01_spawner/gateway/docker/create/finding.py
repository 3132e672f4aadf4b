"""What a new container refers to: networks, volumes, other containers, its image."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.closed_places import check_working_dir
from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.gateway.docker.create.listing_size import check_container_fits
from ds01_spawner.gateway.docker.create.spec import Found
from ds01_spawner.gateway.docker.lookups import Lookups
from ds01_spawner.gateway.docker.options.container import AskedContainer
from ds01_spawner.gateway.docker.options.mounts import AskedSource
from ds01_spawner.gateway.docker.options.network import DEFAULT, NONE
from ds01_spawner.gateway.identity import Caller

_SHARED_NETWORK = "container:"


class Finding:
    """Finds what is the caller's own, or shared; a volume that is missing is made."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def find(self, caller: Caller, asked: AskedContainer, image: Mapping[str, Any]) -> Found:
        """Everything referred to, in the engine's words.

        Raises:
            NotFound: Something is not there, or not the caller's.
            Forbidden: Something may not be had.
        """
        network = await self._network(caller, asked)
        mounts = [*await self._volumes(caller, asked)]
        taken = {mount.target for mount in mounts} | {each.target for each in asked.mounts.binds}
        for source in asked.mounts.sources:
            inherited = await self._inherited(caller, source)
            mounts += [mount for mount in inherited if mount.target not in taken]
            taken |= {mount.target for mount in inherited}
        config = image.get("Config") or {}
        check_container_fits(asked, config)
        working_dir = asked.working_dir or str(config.get("WorkingDir") or "")
        check_working_dir(working_dir)
        return Found(
            mounts=tuple(mounts),
            network=network,
            links=await self._lookups.networks.linked(caller, asked.network.first),
            exposed=tuple(config.get("ExposedPorts") or {}),
            working_dir=working_dir,
        )

    async def _network(self, caller: Caller, asked: AskedContainer) -> str:
        wish = asked.network
        if wish.container is not None:
            shared = await self._lookups.containers.made_here(caller, wish.container)
            return f"{_SHARED_NETWORK}{shared['Id']}"
        for other in wish.others:  # before anything is made
            await self._lookups.networks.network(caller, other.network)
        if wish.first.network in {DEFAULT, NONE}:
            return "" if wish.first.network == DEFAULT else NONE
        found = await self._lookups.networks.network(caller, wish.first.network)
        return str(found["Name"])

    async def _volumes(self, caller: Caller, asked: AskedContainer) -> list[Mount]:
        mounts = []
        for each in asked.mounts.volumes:
            source, marks = "", each.labels
            if each.name is not None:
                source = await self._lookups.volumes.ensure(caller, each.name, dict(each.labels))
            else:
                own = labels.own_marks(caller.user, self._lookups.containers.instance)
                marks = (*marks, *own.items())
            mounts.append(Mount("volume", source, each.target, each.read_only, each.no_copy, marks))
        return mounts

    async def _inherited(self, caller: Caller, source: AskedSource) -> list[Mount]:
        """What another container has mounted, without the host's folders: those are its own."""
        found = await self._lookups.containers.made_here(caller, source.container)
        mounts = []
        for each in found.get("Mounts") or ():
            target = str(each.get("Destination") or "")
            if each.get("Type") == "volume" and each.get("Name"):
                read_only = source.read_only or each.get("RW") is False
                mounts.append(Mount("volume", str(each["Name"]), target, read_only))
            elif each.get("Type") == "bind" and target != NOTICES:
                raise Forbidden(
                    f"--volumes-from {source.container}: that container has a folder of the server "
                    f"at {target}, which is not handed on.",
                    "Mount the folder itself with -v, and volumes by their names.",
                )
        return mounts
