"""What the ports about a machine's doors do, the fakes and the real ones."""

from dataclasses import replace

import pytest

from ds01_spawner.domain.door import DoorRecord
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.ports.doors import (
    DoorRecords,
    EngineSetup,
    GroupDatabase,
    Nodes,
    SystemFiles,
)

SOCKET = "/run/engine/engine.sock"
TEXT = "/etc/profile.d/ds01-docker.sh"


class GroupsContract:
    """Give `groups`: docker with alice and bob in it; carol, a user; and nobody else."""

    def test_members_are_known_and_missing_groups_too(self, groups: GroupDatabase) -> None:
        found = groups.members("docker")

        assert found is not None
        assert set(found.listed) == {"alice", "bob"}
        assert groups.members("no-such-group") is None

    def test_who_is_taken_out_can_be_put_back(self, groups: GroupDatabase) -> None:
        groups.remove("alice", "docker")
        groups.remove("alice", "docker")
        groups.remove("carol", "docker")
        assert self._listed(groups) == {"bob"}

        groups.add("alice", "docker")
        groups.add("alice", "docker")
        assert self._listed(groups) == {"alice", "bob"}

    def test_who_is_gone_is_not_put_back(self, groups: GroupDatabase) -> None:
        with pytest.raises(NotFound, match="no user dave"):
            groups.add("dave", "docker")
        with pytest.raises(NotFound, match="no group no-such-group"):
            groups.add("alice", "no-such-group")

    @staticmethod
    def _listed(groups: GroupDatabase) -> set[str]:
        found = groups.members("docker")
        assert found is not None
        return set(found.listed)


class NodesContract:
    """Give `nodes`, with `SOCKET` of mode 0666, which has an access control list for user 1000."""

    def test_who_may_write_is_seen(self, nodes: Nodes) -> None:
        (found,) = nodes.find(SOCKET)

        assert (found.path, found.mode, found.reachable) == (SOCKET, 0o666, True)
        assert found.granted == ("user 1000",)
        assert nodes.find("/run/engine/other.sock") == ()

    @pytest.mark.parametrize(("to_group", "mode"), [(False, 0o664), (True, 0o644)])
    def test_what_is_closed_can_be_opened_as_it_was(
        self, nodes: Nodes, to_group: bool, mode: int
    ) -> None:
        (before,) = nodes.find(SOCKET)

        nodes.close(SOCKET, to_group=to_group)
        (closed,) = nodes.find(SOCKET)
        assert (closed.mode, closed.granted, closed.acl) == (mode, (), "")

        nodes.restore(before)
        assert nodes.find(SOCKET) == (before,)

    def test_what_is_gone_cannot_be_changed(self, nodes: Nodes) -> None:
        (before,) = nodes.find(SOCKET)
        with pytest.raises(NotFound, match=r"/run/engine/other\.sock does not exist"):
            nodes.close("/run/engine/other.sock", to_group=False)
        with pytest.raises(NotFound, match=r"/run/engine/other\.sock does not exist"):
            nodes.restore(replace(before, path="/run/engine/other.sock"))


class EngineSetupContract:
    """Give `engine`, whose file says that the default runtime is nvidia, and something else."""

    def test_a_setting_is_changed_alone(self, engine: EngineSetup) -> None:
        assert engine.facts().default_runtime == engine.setting("default-runtime") == "nvidia"

        engine.change("default-runtime", None)
        engine.change("live-restore", True)
        assert engine.setting("default-runtime") is None
        assert engine.setting("live-restore") is True
        assert engine.setting("data-root") == "/srv/docker"

        engine.change("default-runtime", "nvidia")
        engine.change("live-restore", None)
        assert engine.setting("default-runtime") == "nvidia"
        assert engine.setting("live-restore") is None


class SystemFilesContract:
    """Give `files`, empty."""

    def test_a_text_is_there_until_it_is_removed(self, files: SystemFiles) -> None:
        assert files.read(TEXT) is None

        files.write(TEXT, "one\n")
        files.write(TEXT, "two\n")
        assert files.read(TEXT) == "two\n"

        files.write(TEXT, None)
        files.write(TEXT, None)
        assert files.read(TEXT) is None


class DoorRecordsContract:
    """Give `records`, empty."""

    def test_a_record_is_kept_until_it_is_forgotten(self, records: DoorRecords) -> None:
        first = DoorRecord("docker-group", "2026-01-31T12:00:00Z", {"members": ["alice"]})
        second = replace(first, before={"members": ["alice", "bob"], "text": None})
        assert records.load("docker-group") is None

        records.save(first)
        records.save(second)
        assert records.load("docker-group") == second

        records.forget("docker-group")
        records.forget("docker-group")
        assert records.load("docker-group") is None
