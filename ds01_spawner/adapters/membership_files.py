"""Who is in a group of the policy: `groups/<group>.members`, changed by one at a time."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ds01_spawner.adapters.policy_files import GROUPS_FOLDER, POLICY_FILE, PolicyText, read_policy
from ds01_spawner.adapters.text_files import put_text
from ds01_spawner.domain.errors import PolicyError, Unavailable
from ds01_spawner.policy.members import (
    SUFFIX,
    MembersFile,
    read_members,
    with_member,
    without_member,
)


class MembershipFiles:
    """The `Memberships` port.

    Args:
        directory: Where the policy is.
    """

    def __init__(self, directory: Path) -> None:
        self._policy = directory / POLICY_FILE
        self._folder = directory / GROUPS_FOLDER

    def of(self, user: str) -> Mapping[str, str]:
        """The groups whose file names the person."""
        return {
            file.group: f"{file.path}:{members[user]}"
            for file in read_policy(self._policy).members_files
            if user in (members := read_members(file))
        }

    def move(self, user: str, group: str | None, remark: str = "") -> None:
        """Let exactly the file of this group name the person."""
        with self._alone():
            before = read_policy(self._policy)
            before.load()
            after = self._edited(before, user, group, remark)
            after.load()
            old = {each.path: each for each in before.members_files}
            changed = [each for each in after.members_files if each != old.get(each.path)]
            # First where the person comes, then where they leave: never in no group.
            for each in sorted(changed, key=lambda each: each.group != group):
                _put(each)
            try:
                read_policy(self._policy).load()
            except PolicyError:
                for each in changed:
                    _put(old.get(each.path) or replace(each, text=""))
                raise

    def _edited(self, policy: PolicyText, user: str, group: str | None, remark: str) -> PolicyText:
        files = list(policy.members_files)
        if group is not None and all(each.group != group for each in files):
            files.append(MembersFile(group, str(self._folder / f"{group}{SUFFIX}"), ""))
        edited = (
            replace(each, text=with_member(each, user, remark))
            if each.group == group
            else replace(each, text=without_member(each, user))
            for each in files
        )
        return replace(policy, members_files=tuple(edited))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within, no other administrator's command changes these files."""
        try:
            self._folder.mkdir(exist_ok=True)
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise _closed(self._folder, exc) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _put(file: MembersFile) -> None:
    try:
        put_text(Path(file.path), file.text)
    except OSError as exc:
        raise _closed(Path(file.path), exc) from exc


def _closed(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be written: {error.strerror}.", "Nothing of it has changed.")
