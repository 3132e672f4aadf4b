import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.storage import project_quotas, walker
from ds01_spawner.adapters.storage.meter import HomeMeter
from ds01_spawner.adapters.storage.project_quotas import ProjectUse, parse_uses, project_id
from ds01_spawner.adapters.storage.walker import Walker
from ds01_spawner.domain.errors import NotFound, Unavailable
from fakes.clock import EPOCH, FakeClock

SOON = timedelta(seconds=20)
MIB = 1024**2


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[HomeMeter]:
    meter = HomeMeter(FakeClock(), tmp_path / "kept")
    yield meter
    meter.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "file").write_bytes(os.urandom(MIB))
    return home


def pid_of(meter: HomeMeter) -> int:
    process = meter._walker._process
    assert process is not None
    return process.pid


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_home_is_measured(meter: HomeMeter, home: Path) -> None:
    use = meter.measure("alice", str(home), SOON)
    assert use is not None
    assert MIB < use.size_bytes < 2 * MIB
    assert (use.user, use.source, use.measured_at) == ("alice", "scan", EPOCH)
    assert [folder.path for folder in use.largest] == ["data"]
    assert not meter.bound("alice", str(home), MIB, SOON)


def test_a_home_without_quotas_is_walked_however_its_folders_are_called(
    meter: HomeMeter, home: Path
) -> None:
    (home / "data").rename(home / os.fsdecode(b"d\xff\n"))
    use = meter.measure("Älice @ uni", str(home), SOON)
    assert use is not None
    assert use.largest[0].path == "d�\n"
    assert use.largest[0].path.encode()


def test_a_home_that_does_not_exist_is_not_found(meter: HomeMeter, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere cannot be measured: No such file or directory\."):
        meter.measure("alice", str(tmp_path / "nowhere"), SOON)


def test_a_home_that_is_a_file_is_unavailable(meter: HomeMeter, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        meter.measure("alice", str(tmp_path / "file"), SOON)


def test_a_home_that_became_a_link_to_somebody_elses_is_not_measured(
    meter: HomeMeter, home: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    mine = os.getuid()
    assert meter.measure("alice", str(link), SOON, mine) is not None
    with pytest.raises(
        Unavailable,
        match=rf"link cannot be measured: it belongs to uid {mine}, not to uid {mine + 1}\.",
    ):
        meter.measure("alice", str(link), SOON, mine + 1)


def test_at_the_place_of_a_volume_no_link_is_followed(
    meter: HomeMeter, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "_data").symlink_to(home)
    with pytest.raises(Unavailable, match="_data cannot be measured"):
        meter.measure("alice", str(tmp_path / "_data"), SOON)


def test_a_measurement_goes_on_in_the_next_call(meter: HomeMeter, home: Path) -> None:
    for number in range(3000):
        (home / f"d{number}").mkdir()
    meter.measure("alice", str(home.parent / "kept"), SOON)
    calls = 1
    while meter.measure("alice", str(home), timedelta(milliseconds=5)) is None:
        calls += 1
        assert calls < 1000
    assert calls > 1


def test_only_the_process_that_walks_is_niced(meter: HomeMeter, home: Path) -> None:
    meter.measure("alice", str(home), SOON)
    pid = pid_of(meter)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19
    done = subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "idle"


def test_a_process_that_was_killed_is_started_again(meter: HomeMeter, home: Path) -> None:
    meter.measure("alice", str(home), SOON)
    first = pid_of(meter)
    os.kill(first, signal.SIGKILL)
    assert meter.measure("alice", str(home), SOON) is not None
    assert pid_of(meter) != first


def test_a_file_system_that_does_not_answer_holds_nobody_up(
    meter: HomeMeter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "_MARGIN", 0.2)
    meter.measure("alice", str(home), SOON)
    hung = pid_of(meter)
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    assert meter.measure("alice", str(home), timedelta(seconds=0.2)) is None
    with pytest.raises(Unavailable, match="does not answer"):
        meter.measure("alice", str(home), timedelta(seconds=0.2))
    with pytest.raises(Unavailable, match="does not answer"):
        meter.measure("alice", str(home), SOON)
    assert time.monotonic() - began < 5
    other = home.parent / "other"
    other.mkdir()
    assert meter.measure("bob", str(other), SOON) is not None
    assert pid_of(meter) != hung


def test_a_home_that_hangs_is_not_held_against_the_next(
    meter: HomeMeter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "_MARGIN", 0.2)
    other = home.parent / "other"
    other.mkdir()
    meter.measure("alice", str(home), SOON)
    os.kill(pid_of(meter), signal.SIGSTOP)
    soon = timedelta(seconds=0.1)
    assert meter.measure("alice", str(home), soon) is None
    assert meter.measure("bob", str(other), soon) is None
    assert meter.measure("bob", str(other), SOON) is not None
    with pytest.raises(Unavailable, match="does not answer"):
        meter.measure("alice", str(home), SOON)


def test_not_too_many_hanging_processes_pile_up(
    meter: HomeMeter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Undead:
        def poll(self) -> None:
            return None

    monkeypatch.setattr(meter._walker, "_left_behind", [Undead()] * 3)
    with pytest.raises(Unavailable, match="3 processes that measured homes hang"):
        meter.measure("alice", str(home), SOON)


def test_an_answer_that_comes_late_is_not_taken_for_the_next(
    meter: HomeMeter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "_MARGIN", 0.1)
    meter.measure("alice", str(home), SOON)
    os.kill(pid_of(meter), signal.SIGSTOP)
    assert meter.measure("alice", str(home), timedelta(seconds=0.1)) is None
    os.kill(pid_of(meter), signal.SIGCONT)
    with pytest.raises(NotFound):
        meter.measure("bob", str(home / "nowhere"), SOON)
    assert meter.measure("alice", str(home), SOON) is not None


def test_it_ends_with_whoever_started_it(tmp_path: Path, home: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from ds01_spawner.adapters.storage.walker import Walker\n"
        "walker = Walker(Path(sys.argv[1]))\n"
        "walker.ask({'ask': 'place', 'path': sys.argv[2], 'kept': 'x'}, 20)\n"
        "print(walker._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "kept"), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    until(lambda: not is_alive(child))


def test_drafts_of_processes_that_are_gone_are_removed(tmp_path: Path, home: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    gone, lives = kept / ".4194305.abc.part", kept / f".{os.getpid()}.abc.part"
    gone.touch()
    lives.touch()
    asked = Walker(kept)
    asked.ask({"ask": "place", "path": str(home), "kept": "x"}, 20)
    asked.close()
    assert not gone.exists()
    assert lives.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, home: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="Homes cannot be measured"):
        HomeMeter(FakeClock(), tmp_path / "file" / "kept").measure("alice", str(home), SOON)


def test_what_repquota_prints_is_read() -> None:
    text = (
        "Project,BlockStatus,FileStatus,BlockUsed,BlockSoftLimit,BlockHardLimit,BlockGrace,"
        "FileUsed,FileSoftLimit,FileHardLimit,FileGrace\n"
        "#0,ok,ok,20,0,0,,2,0,0,\n"
        "#1073741830,ok,ok,8200,0,30720,,5,100,200,\n"
    )
    assert parse_uses(text) == {
        0: ProjectUse(20 * 1024),
        1073741830: ProjectUse(8200 * 1024, 30 * MIB, 100, 200),
    }


@pytest.mark.parametrize(
    "text", ["Project,BlockUsed\n#1,x\n", "Project\n#1\n", "A,B\n1,2\n"], ids=str.split
)
def test_what_is_unknown_is_not_guessed(text: str) -> None:
    with pytest.raises(Unavailable):
        parse_uses(text)


def test_people_have_projects_of_their_own_that_stay() -> None:
    assert project_id("alice") == 2_131_624_111
    people = {project_id(f"student{number}") for number in range(500)}
    assert len(people) == 500
    assert all(2**30 <= number < 2**31 for number in people)


def test_without_the_tools_quotas_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_quotas, "_ENVIRONMENT", {"PATH": "/nowhere"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert project_quotas.tools_missing() == (
        "repquota and setquota missing: install the package quota"
    )


def test_a_folder_with_very_many_links_costs_neither_the_machine_nor_other_homes(
    tmp_path: Path, home: Path
) -> None:
    crowd, kept = tmp_path / "crowd", tmp_path / "kept"
    crowd.mkdir()
    kept.mkdir()
    first = crowd / "0"
    first.touch()
    for number in range(1, 60_000):
        os.link(first, crowd / str(number))
    code = (
        "import sys; from pathlib import Path;"
        "from ds01_spawner.adapters.storage import __main__ as walker, walk;"
        "walk.MOST_KEPT = 50_000;"
        "walker.main(Path(sys.argv[1]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(kept)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for number, path in enumerate((crowd, home)):
            question = {"id": number, "ask": "walk", "path": str(path), "kept": f"{number}.tree"}
            question |= {"seconds": 60, "project": 0}
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        score = Path(f"/proc/{process.pid}/oom_score_adj").read_text()
    assert answers[0]["error"] == "one of its folders has too many entries"
    assert answers[1]["done"]
    assert score == "900\n"
