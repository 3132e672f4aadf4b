import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.policy_files import PolicyFiles, PolicyForLooks, read_policy
from ds01_spawner.adapters.text_files import replace_text
from ds01_spawner.domain.errors import PolicyError, Unavailable
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog

HOUR = 3600 * 10**9


class Lab:
    """A configuration folder and a policy source that looks at it every fake second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "resource-limits.yaml"
        self.clock = FakeClock()
        self.events = FakeEventLog()
        self.now_nanoseconds = 0
        self.source = PolicyFiles(
            folder,
            self.clock,
            self.events,
            monotonic=self.clock.monotonic,
            wall_nanoseconds=lambda: self.now_nanoseconds,
        )

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def slots(self, user: str = "ana") -> int | None:
        self.clock.advance(timedelta(seconds=1))
        return self.source.current().limits(user).max_gpu_slots


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path)
    lab.write("defaults: {max_gpu_slots: 1}\n")
    return lab


def test_reads_the_file_and_the_members_beside_it(lab: Lab) -> None:
    lab.write("defaults: {max_gpu_slots: 1}\ngroups: {phd: {max_gpu_slots: 4}}\n")
    groups = lab.folder / "groups"
    groups.mkdir()
    (groups / "phd.members").write_text("ana\n")
    (groups / ".phd.members.swp").write_text("junk junk\n")
    (groups / "README").write_text("not a list\n")
    assert lab.slots("ana") == 4
    assert lab.slots("ben") == 1
    assert lab.events.actions == []


def test_an_edit_takes_effect_and_is_logged(lab: Lab) -> None:
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 2}\n")
    assert lab.slots() == 2
    (event,) = lab.events.of("policy.reload")
    assert (event.outcome, event.resource) == ("ok", str(lab.file))


def test_the_files_are_looked_at_once_a_second_at_most(lab: Lab) -> None:
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 2}\n")
    assert lab.source.current().limits("ana").max_gpu_slots == 1
    lab.clock.advance(timedelta(seconds=1))
    assert lab.source.current().limits("ana").max_gpu_slots == 2


def test_content_is_not_read_again_while_stamps_are_old_and_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.now_nanoseconds = lab.file.stat().st_ctime_ns + HOUR
    policy = lab.source.current()

    def refuse(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr("ds01_spawner.adapters.policy_files.read_policy", refuse)
    lab.clock.advance(timedelta(minutes=1))
    assert lab.source.current() is policy


def test_an_edit_within_one_time_stamp_is_seen(lab: Lab) -> None:
    found = lab.file.stat()
    lab.now_nanoseconds = found.st_ctime_ns
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 2}\n")
    os.utime(lab.file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert lab.slots() == 2


def test_an_edit_that_keeps_size_and_date_is_seen_by_its_change_time(lab: Lab) -> None:
    found = lab.file.stat()
    lab.now_nanoseconds = found.st_ctime_ns + HOUR
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 2}\n")
    os.utime(lab.file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert lab.slots() == 2


def test_an_atomic_replacement_is_seen(lab: Lab) -> None:
    lab.slots()
    draft = lab.folder / "draft"
    draft.write_text("defaults: {max_gpu_slots: 3}\n")
    draft.replace(lab.file)
    assert lab.slots() == 3


def test_a_symbolic_link_that_points_elsewhere_is_seen(lab: Lab) -> None:
    for name, slots in (("one", 1), ("two", 2)):
        (lab.folder / name).mkdir()
        (lab.folder / name / "limits").write_text(f"defaults: {{max_gpu_slots: {slots}}}\n")
    lab.file.unlink()
    (lab.folder / "now").symlink_to("one")
    lab.file.symlink_to("now/limits")
    lab.now_nanoseconds = lab.file.stat().st_ctime_ns + HOUR
    assert lab.slots() == 1
    (lab.folder / "new").symlink_to("two")
    (lab.folder / "new").replace(lab.folder / "now")
    assert lab.slots() == 2


def test_a_touched_file_is_no_edit(lab: Lab) -> None:
    lab.slots()
    os.utime(lab.file)
    lab.slots()
    assert lab.events.actions == []


def test_a_broken_edit_keeps_the_last_good_policy_and_is_logged_once(lab: Lab) -> None:
    lab.slots()
    lab.write("defaults: {max_gpu_slots: lots}\n")
    assert [lab.slots() for _ in range(3)] == [1, 1, 1]
    (event,) = lab.events.events
    assert (event.action, event.outcome) == ("policy.invalid", "failed")
    assert event.reason == "1 problem; the last good policy stays in force"
    assert event.details["problems"] == [str(lab.source.problems[0])]
    assert f"{lab.file}:1: defaults.max_gpu_slots" in str(lab.source.problems[0])


def test_another_breakage_is_logged_again_and_a_repair_too(lab: Lab) -> None:
    lab.slots()
    lab.write("defaults: {max_gpu_slots: lots}\n")
    lab.slots()
    lab.write("defaults: [\n")
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 1}\n")
    assert lab.slots() == 1
    assert lab.events.actions == ["policy.invalid", "policy.invalid", "policy.reload"]
    assert lab.source.problems == ()


def vanish(lab: Lab) -> None:
    lab.file.unlink()


def become_a_folder(lab: Lab) -> None:
    lab.file.unlink()
    lab.file.mkdir()


def become_a_pipe(lab: Lab) -> None:
    lab.file.unlink()
    os.mkfifo(lab.file)


def become_binary(lab: Lab) -> None:
    lab.file.write_bytes(b"defaults:\n  memory: \xff\n")


def become_empty(lab: Lab) -> None:
    lab.write("")


def lose_the_group_of_a_members_file(lab: Lab) -> None:
    (lab.folder / "groups").mkdir()
    (lab.folder / "groups" / "phd.members").write_text("ana\n")


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        (vanish, "cannot be read: no such file or directory"),
        (become_a_folder, "cannot be read: is a directory"),
        (become_a_pipe, "this is not a file; expected text"),
        (become_binary, ":2: this line is not UTF-8; save the file as UTF-8"),
        (become_empty, "the file is empty"),
        (lose_the_group_of_a_members_file, "has no group of that name"),
    ],
)
def test_whatever_happens_to_the_files_the_last_good_policy_stays(
    lab: Lab, breakage: Callable[[Lab], None], message: str
) -> None:
    lab.slots()
    breakage(lab)
    assert lab.slots() == 1
    assert lab.slots() == 1
    assert message in str(lab.source.problems[0])
    assert lab.events.actions == ["policy.invalid"]


def test_a_file_that_comes_back_is_in_force_again(lab: Lab) -> None:
    lab.slots()
    lab.file.unlink()
    lab.slots()
    lab.write("defaults: {max_gpu_slots: 1}\n")
    assert lab.slots() == 1
    assert lab.events.actions == ["policy.invalid", "policy.reload"]


EXEMPTION = "{user: ana, exempt_from: [idle_timeout], until: 2027-12-31, reason: thesis}"


def test_exemptions_are_read_watched_and_forgotten_with_their_file(lab: Lab) -> None:
    file = lab.folder / "lifecycle-exemptions.yaml"
    lab.slots()
    assert lab.source.current().exemptions == ()
    file.write_text(f"exemptions:\n  - {EXEMPTION}\n")
    lab.slots()
    (exemption,) = lab.source.current().exemptions
    assert (exemption.user, exemption.source) == ("ana", f"{file}:2")
    file.unlink()
    lab.slots()
    assert lab.source.current().exemptions == ()
    assert lab.events.actions == ["policy.reload", "policy.reload"]
    assert lab.events.events[0].details["exemptions"] == 1


def test_a_date_ends_with_the_day_of_this_machine(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab.folder / "lifecycle-exemptions.yaml").write_text(f"exemptions: [{EXEMPTION}]\n")
    monkeypatch.setenv("TZ", "NZST-12")
    time.tzset()
    try:
        (exemption,) = lab.source.current().exemptions
    finally:
        monkeypatch.undo()
        time.tzset()
    assert exemption.until == datetime(2027, 12, 31, 12, tzinfo=UTC)


def test_an_edit_of_exemptions_alone_is_seen_by_its_stamps(lab: Lab) -> None:
    file = lab.folder / "lifecycle-exemptions.yaml"
    file.write_text(f"exemptions: [{EXEMPTION}]\n")
    lab.now_nanoseconds = file.stat().st_ctime_ns + HOUR
    lab.slots()
    draft = lab.folder / "draft"
    draft.write_text("exemptions: []\n")
    draft.replace(file)
    lab.slots()
    assert lab.source.current().exemptions == ()


def test_broken_exemptions_keep_the_last_good_policy_of_everything(lab: Lab) -> None:
    file = lab.folder / "lifecycle-exemptions.yaml"
    file.write_text(f"exemptions: [{EXEMPTION}]\n")
    lab.slots()
    file.write_text(f"exemptions: [{EXEMPTION.replace('2027-12-31', 'soon')}]\n")
    lab.write("defaults: {max_gpu_slots: 2}\n")
    assert [lab.slots() for _ in range(3)] == [1, 1, 1]
    assert [each.reason for each in lab.source.current().exemptions] == ["thesis"]
    assert lab.events.actions == ["policy.invalid"]
    assert f"{file}:1: exemptions.0.until: expected a date" in str(lab.source.problems[0])
    file.write_text(f"exemptions: [{EXEMPTION}]\n")
    assert lab.slots() == 2
    assert lab.events.actions == ["policy.invalid", "policy.reload"]


@pytest.mark.parametrize("breakage", ["link", "folder", "empty"])
def test_exemptions_that_cannot_be_read_are_a_fault(lab: Lab, breakage: str) -> None:
    file = lab.folder / "lifecycle-exemptions.yaml"
    file.write_text(f"exemptions: [{EXEMPTION}]\n")
    lab.slots()
    file.unlink()
    if breakage == "link":
        file.symlink_to(lab.folder / "nowhere")
    elif breakage == "folder":
        file.mkdir()
    else:
        file.write_text("")
    assert lab.slots() == 1
    assert len(lab.source.current().exemptions) == 1
    assert lab.events.actions == ["policy.invalid"]


def test_without_any_valid_policy_nothing_is_decided(lab: Lab) -> None:
    lab.write("defaults: {max_gpu_slots: lots}\n")
    with pytest.raises(Unavailable, match=r"max_gpu_slots: expected a whole number"):
        lab.source.current()
    lab.write("defaults: {max_gpu_slots: 2}\n")
    assert lab.slots() == 2


def test_an_event_that_cannot_be_written_is_written_later(lab: Lab) -> None:
    lab.slots()
    lab.events.full = True
    lab.write("defaults: {max_gpu_slots: lots}\n")
    assert lab.slots() == 1
    lab.events.full = False
    lab.slots()
    assert lab.events.actions == ["policy.invalid"]


def test_many_threads_read_while_the_file_changes(lab: Lab) -> None:
    lab.write("defaults: {max_gpu_slots: 1, priority: 1}\n")
    seen: set[tuple[int | None, int]] = set()
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                limits = lab.source.current().limits("ana")
            except Unavailable as exc:
                failures.append(exc)
                return
            seen.add((limits.max_gpu_slots, limits.priority))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 30):
        draft = lab.folder / "draft"
        draft.write_text(f"defaults: {{max_gpu_slots: {number}, priority: {number}}}\n")
        draft.replace(lab.file)
        lab.slots()
    stop.set()
    for thread in threads:
        thread.join(timeout=10)
    assert failures == []
    assert all(slots == priority for slots, priority in seen)


def test_every_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "a.members").mkdir()
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / "resource-limits.yaml")
    assert [Path(problem.path).name for problem in caught.value.problems] == [
        "resource-limits.yaml",
        "a.members",
    ]


def test_replacing_keeps_mode_link_and_the_old_text(tmp_path: Path) -> None:
    target = tmp_path / "real.yaml"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(target)
    first = replace_text(link, "new")
    second = replace_text(link, "newer")
    assert link.is_symlink()
    assert target.read_text() == "newer"
    assert target.stat().st_mode & 0o777 == 0o640
    assert (first.name, first.read_text()) == ("real.yaml.bak", "old")
    assert (second.name, second.read_text()) == ("real.yaml.bak.2", "new")
    assert len(list(tmp_path.iterdir())) == 4


def test_when_the_policy_in_force_was_read_is_remembered(lab: Lab) -> None:
    assert lab.source.loaded_at is None
    lab.slots()
    first = lab.clock.now()
    assert lab.source.loaded_at == first
    lab.write("defaults: {max_gpu_slots: [}\n")
    lab.slots()
    assert lab.source.loaded_at == first
    lab.write("defaults: {max_gpu_slots: 2}\n")
    assert lab.slots() == 2
    assert lab.source.loaded_at == lab.clock.now()


def test_who_only_looks_goes_on_with_what_is_built_in_and_leaves_no_line(lab: Lab) -> None:
    lab.write("defaults: {max_gpu_slots: many}\n")
    looks = PolicyForLooks(lab.folder, lab.clock)
    assert looks.current().limits("ana")
    assert looks.problems
    lab.write("defaults: {max_gpu_slots: 3}\n")
    fresh = PolicyForLooks(lab.folder, lab.clock)
    assert (fresh.current().limits("ana").max_gpu_slots, fresh.problems) == (3, ())
    assert [each.name for each in lab.folder.iterdir()] == ["resource-limits.yaml"]
