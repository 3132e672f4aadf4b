import json
import stat
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import DS01Error, NoCapacity
from ds01_spawner.home.folders import FOLDERS
from fakes.api_app import FakeApi
from fakes.program import invoke, said


@pytest.fixture(autouse=True)
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, with settings of one's own."""
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(home / ".config" / "ds01"))
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")


def states(*arguments: str) -> dict[str, str]:
    found = json.loads(said("user-setup", "--quick", "--json", *arguments))
    return {each["name"]: each["state"] for each in found["steps"]}


def test_everything_is_made_once(api: FakeApi, home: Path) -> None:
    first = states()
    assert first == dict.fromkeys(first, "done")
    assert list(first) == ["folders", "key", "vscode", "container", "first-steps"]
    assert all((home / name).is_dir() for name in FOLDERS)
    key = home / ".config" / "ds01" / "id_ed25519"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [each.key.split()[:2] for each in api.keys] == [
        key.with_suffix(".pub").read_text().split()[:2]
    ]
    made = api.body("createContainer")
    assert (made.name, made.gpus) == ("first", 1)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    again = states()

    assert {name: state for name, state in again.items() if name != "first-steps"} == {
        name: "there" for name in first if name != "first-steps"
    }
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert api.operations().count("createContainer") == 1
    assert len(api.keys) == 1


def test_json_asks_nothing(api: FakeApi) -> None:
    found = json.loads(said("user-setup", "--json"))
    assert [each["state"] for each in found["steps"]] == ["done"] * 5
    assert api.user


def test_nothing_secret_is_sent_or_said(api: FakeApi, home: Path) -> None:
    printed = invoke("user-setup", "--quick").output
    private = (home / ".config" / "ds01" / "id_ed25519").read_text()
    secrets = [line for line in private.splitlines() if line and not line.startswith("-----")]
    sent = repr([each.body for each in api.asked])
    assert not any(line in printed or line in sent for line in secrets)


def test_the_page_says_how_to_get_in(api: FakeApi) -> None:
    assert api.user
    printed = said("user-setup", "--quick")
    for words in ("ssh first.ds01", "ds01 vscode first", "ds01 container retire first"):
        assert words in printed


@pytest.mark.usefixtures("terminal")
def test_who_says_no_gets_less(api: FakeApi, home: Path) -> None:
    done = invoke("user-setup", stdin="n\nn\n")
    assert done.exit_code == 0, done.output
    assert not (home / ".ssh" / "config").exists()
    assert "createContainer" not in api.operations()
    assert "ds01 container deploy" in done.output


@pytest.mark.usefixtures("terminal")
def test_guided_explains_each_step(api: FakeApi) -> None:
    assert api.user
    done = invoke("user-setup", "--guided", stdin="y\ny\n")
    assert done.exit_code == 0, done.output
    for words in (
        "Everything in your home",
        "public half",
        "NAME.ds01",
        "computer of your own",
        "That is all",
    ):
        assert words in done.output


def test_without_a_terminal_the_flag_is_named(api: FakeApi) -> None:
    done = invoke("user-setup")
    assert done.exit_code == 2
    assert "--quick" in done.output
    assert api.asked == []


def test_no_free_gpu_keeps_nothing_else_from_being_done(api: FakeApi, home: Path) -> None:
    api.refuses["createContainer"] = NoCapacity("All 4 slots are in use.", "Try later.")
    with pytest.raises(NoCapacity):
        invoke("user-setup", "--quick")
    assert (home / "projects").is_dir()
    assert (home / ".config" / "ds01" / "first-steps.md").is_file()


def test_a_container_of_ones_own_is_enough(api: FakeApi) -> None:
    api.has("thesis")
    assert states()["container"] == "there"
    assert "createContainer" not in api.operations()


def test_the_first_one_is_started_again(api: FakeApi) -> None:
    api.has("first", state="exited")
    assert states()["container"] == "done"
    assert "startContainer" in api.operations()
    assert "createContainer" not in api.operations()


def test_folders_are_on_the_server(
    api: FakeApi, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.user
    monkeypatch.delenv("DS01_CONTAINER")
    monkeypatch.setenv("DS01_URL", "https://hub.example.org")
    monkeypatch.setenv("DS01_TOKEN", "t")
    assert states()["folders"] == "skipped"
    assert not (home / "projects").exists()


def test_a_file_in_the_way_is_said(api: FakeApi, home: Path) -> None:
    assert api.user
    (home / "data").write_text("mine")
    with pytest.raises(DS01Error, match="is a file where a folder should be"):
        invoke("user-setup", "--quick")
    assert (home / "data").read_text() == "mine"
    assert (home / "projects").is_dir()
