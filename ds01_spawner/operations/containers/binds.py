"""Folders of the host in people's containers: checked as the person, then out of their reach."""

import posixpath
import secrets
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from ds01_spawner.domain.bind import (
    Bind,
    BindSet,
    binds_label,
    binds_of,
    check_binds,
)
from ds01_spawner.domain.closed_places import is_closed
from ds01_spawner.domain.container import Container, Mount
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports import BindStage, ContainerRoots, OpenedPath, PathKind, PersonalPaths

UNCLAIMED_TIME = timedelta(minutes=10)
"""A stage without a container is left alone so long: its container is being made."""

_KEY_BYTES = 16
_NOWHERE_ELSE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StagedBinds:
    """What a new container is given.

    Attributes:
        key: Names the stage; `Binds.clear` takes it when no container comes of it.
        label: Value of label `ds01.binds`.
        mounts: What the engine mounts.
    """

    key: str
    label: str
    mounts: tuple[Mount, ...]


class Binds:
    """Stages what people want mounted. Safe to use from many threads; blocks on file systems.

    Args:
        paths: Opens them as the person.
        stage: Keeps them for the engine.
        roots: Where paths in a container lead; without it, all are taken for plain.
    """

    def __init__(
        self, paths: PersonalPaths, stage: BindStage, roots: ContainerRoots | None = None
    ) -> None:
        self._paths = paths
        self._stage = stage
        self._roots = roots

    def stage(
        self,
        account: UnixAccount,
        wanted: Sequence[Bind],
        others: Sequence[str] = (),
        working_dir: str = "",
    ) -> StagedBinds:
        """Open everything as the person and mount it where the engine finds it.

        Args:
            account: The person.
            wanted: What they asked for.
            others: Where volumes and tmpfs go in the container: what of them is below a folder of
                the person's is made as the person, not by the engine as root. Other volumes of
                the image are made so at the start (`restage`).
            working_dir: The container's working folder; the same is true of it.

        Raises:
            InvalidRequest: Something does not exist or cannot be mounted.
            Forbidden: The person may not read it, or it is the platform's.
            Unavailable: A file system does not answer.
        """
        check_binds(wanted)
        key = secrets.token_hex(_KEY_BYTES)
        mounted = {_normal(other) for other in others}
        inner = tuple(sorted(mounted | ({_normal(working_dir)} if working_dir else set())))
        binds, sources = self._staged(account, BindSet(key, tuple(wanted)), inner, mounted)
        # Never read-only in the engine's words, the stage is: Docker 20.10 mounts it once more for
        # that, and loses nosuid and nodev.
        mounts = tuple(
            Mount("bind", source, bind.target) for bind, source in zip(binds, sources, strict=True)
        )
        return StagedBinds(key, binds_label(BindSet(key, binds, inner)), mounts)

    def restage(self, account: UnixAccount, container: Container) -> None:
        """Open everything anew, before a container that does not run is started again.

        What the person may no longer have is unmounted, so that nothing else starts it either.
        Paths in the container count for what they lead to: the engine follows links of the image,
        as root, when it makes the places where something is mounted.

        Raises:
            InvalidRequest: Something does not exist any more.
            Forbidden: The person may not read it any more.
            Unavailable: A file system does not answer, or nobody knows what was mounted.
        """
        key = container.binds_key
        if not key:
            return
        try:
            wanted = _wanted(container)
            targets = [mount.target for mount in container.mounts]
            others = [*wanted.others, *targets]
            led = self._led(container, wanted, others)
            self._staged(account, wanted, others, {_normal(target) for target in targets}, led)
        except BaseException:
            with suppress(Unavailable):
                self._stage.clear(key)
            raise

    def clear(self, key: str) -> None:
        """Unmount what belonged to a container that is gone, or that was not made.

        Raises:
            Unavailable: It cannot be unmounted.
        """
        if key:
            self._stage.clear(key)

    def clear_unclaimed(self, containers: Iterable[Container]) -> tuple[str, ...]:
        """Unmount what belongs to none of all `containers`; the keys.

        Raises:
            Unavailable: Something cannot be unmounted.
        """
        claimed = {container.binds_key for container in containers}
        unclaimed = tuple(sorted(set(self._stage.keys(UNCLAIMED_TIME)) - claimed))
        for key in unclaimed:
            self._stage.clear(key)
        return unclaimed

    def _led(
        self, container: Container, wanted: BindSet, others: Sequence[str]
    ) -> Mapping[str, str]:
        """Where the paths lead at which the engine mounts or makes something."""
        paths = {_normal(path) for path in (*others, *(bind.target for bind in wanted.binds))}
        led = self._roots.leads_to(container.id, paths) if self._roots is not None else {}
        for path, real in led.items():
            # The platform's own places are where it put them.
            if path != real and (real == "/" or is_closed(real)):
                raise Forbidden(
                    f"{shown(path)} of this container leads to {shown(real)}, where nothing may be "
                    "mounted.",
                    "Make it anew with another place in it.",
                )
        return led

    def _staged(
        self,
        account: UnixAccount,
        wanted: BindSet,
        others: Sequence[str],
        mounted: AbstractSet[str],
        led: Mapping[str, str] = _NOWHERE_ELSE,
    ) -> tuple[tuple[Bind, ...], list[str]]:
        """What became of the binds, and what the engine mounts."""
        with ExitStack() as stack:
            opened = [
                stack.enter_context(
                    self._paths.open(account, bind.source, create_missing=bind.create_missing)
                )
                for bind in wanted.binds
            ]
            targets = [led.get(path, path) for path in map(_normal, others)]
            led_binds = [
                replace(bind, target=led.get(_normal(bind.target), bind.target))
                for bind in wanted.binds
            ]
            at_binds = {_normal(bind.target) for bind in led_binds}
            at_others = {led.get(target, target) for target in mounted} - at_binds
            if nested := _nested(at_binds, at_others, targets):
                self._check_own(account, nested, opened)
            self._make_mount_points(account, led_binds, opened, targets)
            try:
                sources = [
                    self._stage.put(wanted.key, index, each, read_only=bind.read_only)
                    for index, (bind, each) in enumerate(zip(wanted.binds, opened, strict=True))
                ]
            except BaseException:
                with suppress(Unavailable):
                    self._stage.clear(wanted.key)
                raise
            return tuple(
                _as_found(*each) for each in zip(wanted.binds, opened, strict=True)
            ), sources

    def _check_own(
        self, account: UnixAccount, nested: tuple[str, str], opened: Sequence[OpenedPath]
    ) -> None:
        """Return when everything that is mounted of the server is within the person's home.

        What is mounted inside another mount is found by the engine, as root, where the person may
        put a link at any moment: it may lead over the container's /etc, whose groups decide what
        may be read of others' folders, or into others' folders themselves.
        """
        with self._paths.open(account, account.home) as home:
            within = f"{home.real_path.rstrip('/')}/"
        if all(f"{each.real_path}/".startswith(within) for each in opened):
            return
        inner, outer = nested
        raise Forbidden(
            f"{shown(inner)} is inside {shown(outer)}, where something is mounted already. Beside "
            "folders from outside your home that is not available.",
            "Mount it at a place of its own.",
        )

    def _make_mount_points(
        self,
        account: UnixAccount,
        binds: Sequence[Bind],
        opened: Sequence[OpenedPath],
        others: Sequence[str],
    ) -> None:
        folders = {
            _normal(bind.target): each
            for bind, each in zip(binds, opened, strict=True)
            if each.kind is PathKind.FOLDER
        }
        kinds = {_normal(target): True for target in others} | {
            _normal(bind.target): each.kind is PathKind.FOLDER
            for bind, each in zip(binds, opened, strict=True)
        }
        for target, is_folder in sorted(kinds.items()):
            around = [each for each in folders if target.startswith(f"{each}/")]
            if around:
                outer = max(around, key=len)
                try:
                    self._paths.make_mount_point(
                        account, folders[outer], target.removeprefix(outer), is_folder=is_folder
                    )
                except Forbidden as exc:
                    raise Forbidden(
                        f"{target} does not exist in the folder mounted at {outer}, and you may "
                        "not create it there.",
                        "Create it on the server first, or mount at another place.",
                    ) from exc


def _nested(
    binds: AbstractSet[str], others: AbstractSet[str], targets: Iterable[str]
) -> tuple[str, str] | None:
    """A place that is inside another's mount, and that other's; `None` where there is none.

    What is only made, such as the working folder, is made as the person below folders of theirs.

    Args:
        binds: Where folders of the server go.
        others: Where volumes and tmpfs go.
        targets: All places, and what is only made.
    """
    mounts = binds | others
    pairs = (
        (inner, outer)
        for inner in sorted({*targets, *mounts})
        for outer in sorted(mounts if inner in mounts else others)
        if inner.startswith(f"{outer.rstrip('/')}/")
    )
    return next(pairs, None)


def _wanted(container: Container) -> BindSet:
    wanted = binds_of(container.labels)
    if wanted is None or wanted.key != container.binds_key:
        raise Unavailable(
            "What was mounted into this container is not known any more.",
            "Make the container anew with docker run.",
        )
    return wanted


def _as_found(bind: Bind, opened: OpenedPath) -> Bind:
    read_only = bind.read_only or not opened.writable
    return replace(bind, read_only=read_only, real_path=opened.real_path)


def _normal(target: str) -> str:
    return posixpath.normpath(target)
