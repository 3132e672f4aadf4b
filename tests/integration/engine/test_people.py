"""People on this machine: real accounts, made and removed again."""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.people import AccountKeeperContract
from ds01_spawner.adapters.account_keeper import ShadowTools
from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.domain.errors import Conflict

CONFIG = Path(__file__).parents[3] / "config"

TYPED = """
import os, signal, subprocess, sys
from ds01_spawner.adapters.account_keeper import ShadowTools

run = subprocess.run

def run_while_somebody_types(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return run(*args, **options)

signal.signal(signal.SIGINT, signal.default_int_handler)
subprocess.run = run_while_somebody_types
ShadowTools().create(sys.argv[1], "", create_home=True)
"""
"""Makes an account; Ctrl-C comes when the tool is about to run."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts are made by root")


@pytest.fixture
def name() -> Iterator[str]:
    name = f"ds01-test-{secrets.token_hex(4)}"
    yield name
    _gone(name)


@pytest.fixture
def keeper() -> ShadowTools:
    return ShadowTools()


class TestShadowTools(AccountKeeperContract):
    def test_what_it_makes_can_have_containers(self, keeper: ShadowTools, name: str) -> None:
        keeper.create(name, "", create_home=True)
        keeper.make_folders(name, ("projects",))

        account = UnixAccounts().lookup(name)
        assert account is not None
        folder = Path(account.home, "projects").stat()
        assert (folder.st_uid, stat.S_IMODE(folder.st_mode)) == (account.uid, 0o750)
        assert stat.S_IMODE(Path(account.home).stat().st_mode) == 0o750
        assert Path(account.home, ".profile").exists()

    def test_a_link_in_a_home_leads_nobody_astray(
        self, keeper: ShadowTools, name: str, tmp_path: Path
    ) -> None:
        keeper.create(name, "", create_home=True)
        tmp_path.chmod(0o700)
        Path(pwd.getpwnam(name).pw_dir, "data").symlink_to(tmp_path / "stolen")
        assert keeper.missing_folders(name, ("data",)) == ()
        assert not (tmp_path / "stolen").exists()

    def test_ctrl_c_waits_until_a_tool_is_done(self, keeper: ShadowTools, name: str) -> None:
        # In a process of its own: here other threads would be told, and at any later moment.
        made = subprocess.run([sys.executable, "-c", TYPED, name], check=False, capture_output=True)
        assert made.returncode == -signal.SIGINT, made.stderr
        assert keeper.has_home(name)

    def test_groups_of_this_machine_are_left(self, keeper: ShadowTools, name: str) -> None:
        keeper.create(name, "", create_home=False)
        subprocess.run(["usermod", "--append", "--groups", "games", name], check=True)
        entry = keeper.find(name)
        assert entry is not None
        assert entry.listed_in == ("games",)
        keeper.leave(name, "games")
        keeper.leave(name, "games")
        assert keeper.find(name).listed_in == ()  # type: ignore[union-attr]

    def test_who_runs_something_is_not_removed(self, keeper: ShadowTools, name: str) -> None:
        keeper.create(name, "", create_home=True)
        uid = pwd.getpwnam(name).pw_uid
        with subprocess.Popen(["/bin/sleep", "60"], user=uid, cwd="/") as running:
            with pytest.raises(Conflict, match="loginctl terminate-user"):
                keeper.remove(name)
            assert keeper.has_home(name)
            running.kill()

    def test_system_accounts_are_found_and_nobodys(self, keeper: ShadowTools) -> None:
        root = keeper.find("root")
        assert root is not None
        assert not root.is_person
        assert all(each.is_person for each in keeper.every())


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    shutil.copytree(CONFIG, tmp_path / "config")
    state = tmp_path / "state"
    state.mkdir()
    (state / "instance-id").write_text("people-test")
    return {"DS01_CONFIG_DIR": str(tmp_path / "config"), "DS01_STATE_DIR": str(state)}


def ds01(places: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ds01_cli.main", "admin", "user", *words],
        env={**os.environ, **places},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_somebody_comes_leaves_comes_back_and_goes_for_good(
    places: dict[str, str], name: str
) -> None:
    members = Path(places["DS01_CONFIG_DIR"], "groups/student.members")
    before = members.read_text()

    assert ds01(places, "add", name, "--group", "student").returncode == 0
    uid = pwd.getpwnam(name).pw_uid
    Path(pwd.getpwnam(name).pw_dir, "thesis.txt").write_text("mine")
    assert name in ds01(places, "list", "--group", "student").stdout
    assert ds01(places, "remove", name).returncode == 2
    assert ds01(places, "remove", name, "--yes").returncode == 0
    assert members.read_text() == before
    assert ds01(places, "add", name, "--group", "student").returncode == 0
    assert pwd.getpwnam(name).pw_uid == uid
    assert Path(pwd.getpwnam(name).pw_dir, "thesis.txt").read_text() == "mine"
    assert ds01(places, "remove", name, "--yes", "--delete-data").returncode == 0
    with pytest.raises(KeyError):
        pwd.getpwnam(name)
    assert ds01(places, "remove", name, "--yes").returncode == 5


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def belongings(name: str, tiny_image: str) -> Iterator[dict[str, str]]:
    """A container, a volume, an image and a network of the person's, by kind."""
    marks = ["--label", f"ds01.user={name}", "--label", "ds01.instance=people-test"]
    made = {
        "container": f"work._.{name}",
        "volume": f"data._.{name}",
        "image": f"ds01-{name}/own:latest",
        "network": f"ds01-{name}",
    }
    docker("network", "create", *marks, made["network"])
    docker("volume", "create", made["volume"])
    docker("tag", tiny_image, made["image"])
    container = ["--name", made["container"], *marks, "--network", made["network"]]
    container.append("--stop-signal=KILL")
    docker(
        "run", "--detach", *container, "-v", f"{made['volume']}:/data", tiny_image, "sleep", "99"
    )
    yield made
    for kind, thing in made.items():
        force = ["--force"] if kind != "network" else []
        subprocess.run(["docker", kind, "rm", *force, thing], check=False, capture_output=True)


def _left(belongings: dict[str, str]) -> list[str]:
    return [
        kind
        for kind, thing in belongings.items()
        if subprocess.run(
            ["docker", kind, "inspect", thing], check=False, capture_output=True
        ).returncode
        == 0
    ]


def test_what_somebody_has_in_the_engine_stays_or_goes(
    places: dict[str, str], name: str, belongings: dict[str, str]
) -> None:
    assert ds01(places, "add", name).returncode == 0
    told = ds01(places, "remove", name, "--yes")
    assert told.returncode == 0, told.stderr
    assert "1 container, 1 of which runs: work" in told.stdout
    assert f"1 volume: data._.{name}" in told.stdout.partition("This stays:")[2]
    assert _left(belongings) == ["volume", "image"]
    assert ds01(places, "remove", name, "--yes", "--delete-data").returncode == 0
    assert _left(belongings) == []


def test_a_class_is_added_at_once_and_only_what_is_missing_again(
    places: dict[str, str], tmp_path: Path
) -> None:
    names = [f"ds01-test-{secrets.token_hex(4)}" for _ in range(3)]
    lines = [f"{each};Änne Müller;student" for each in names]
    file = tmp_path / "class.csv"
    file.write_text("\r\n".join(["Name;Full Name;Gruppe", *lines, "Root;;", ""]), "utf-8-sig")
    try:
        wrong = ds01(places, "import", str(file))
        assert (wrong.returncode, "class.csv:5: 'Root'" in wrong.stderr) == (1, True)
        assert not any(ShadowTools().find(each) for each in names)
        file.write_text("\r\n".join(["Name;Full Name;Gruppe", *lines, ""]), "utf-8-sig")
        assert ds01(places, "import", str(file)).returncode == 0
        assert [pwd.getpwnam(each).pw_gecos for each in names] == ["Änne Müller"] * 3
        again = ds01(places, "import", str(file))
        assert again.stdout == "0 people added or completed; of 3 nothing is missing.\n"
    finally:
        for each in names:
            _gone(each)


def test_two_administrators_at_once_lose_nobody(places: dict[str, str]) -> None:
    """Eight commands side by side, held until all have started."""
    folder = Path(places["DS01_CONFIG_DIR"], "groups")
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    names = [f"course-{number}@uni.example" for number in range(8)]
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "ds01_cli.main", "admin", "user", "add", each),
                *("--hub-only", "--group", "student"),
            ],
            env={**os.environ, **places},
            stdout=subprocess.DEVNULL,
        )
        for each in names
    ]
    os.close(lock)
    assert [each.wait(60) for each in running] == [0] * 8
    text = (folder / "student.members").read_text()
    assert sorted(text.splitlines()[1:]) == names


def _gone(name: str) -> None:
    try:
        home = pwd.getpwnam(name).pw_dir
    except KeyError:
        return
    subprocess.run(["userdel", "--force", "--remove", name], check=False, capture_output=True)
    assert not Path(home).exists()
