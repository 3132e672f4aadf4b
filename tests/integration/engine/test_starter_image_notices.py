"""What DS01 tells people reaches them in the starter image, and costs next to nothing."""

import hashlib
import http
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration.lab_container import IMAGE, TOKEN, LabContainer, lab_container, notice

NOTICES = "/ds01/notices"
KEEP = "/ds01/keep-running"
KEEP_FILE = "/home/jovyan/.keep-alive.jupyter"
EXTENSION = Path(__file__).parents[3] / "hub_config/images/starter/notices/labextension"
NOW = datetime(2026, 3, 1, 14, 23, tzinfo=UTC)
IMPORT_MICROSECONDS = 20_000
TRIES = 5
"""What is quick once is quick; a busy machine makes it slow now and then."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabContainer]:
    with lab_container(tmp_path_factory.mktemp("board") / "alice") as lab:
        yield lab


@pytest.fixture
def lab(running: LabContainer) -> LabContainer:
    """The shared server, with nothing on the board and nothing asked for."""
    running.board.show()
    running.run(f"chmod 755 ~; rm -rf {KEEP_FILE}")
    return running


def test_answers_with_what_is_on_the_board(lab: LabContainer) -> None:
    assert lab.json("GET", NOTICES) == {"version": 1, "notices": []}
    first = notice("one", NOW)
    second = notice("two", NOW, kind="stopped", deadline=None, keep_until=None)
    lab.board.show(first, second)
    assert lab.json("GET", NOTICES) == {"version": 1, "notices": [first, second]}


@pytest.mark.parametrize("path", [NOTICES, KEEP])
def test_stranger_is_refused(lab: LabContainer, path: str) -> None:
    method = "GET" if path == NOTICES else "POST"
    assert lab.ask(method, path, {})[0] == http.HTTPStatus.FORBIDDEN
    assert lab.run(f"ls {KEEP_FILE} 2>&1 || true").endswith("No such file or directory")


def test_another_site_cannot_press_the_button(lab: LabContainer) -> None:
    _, headers, _ = lab.ask("GET", f"/lab?token={TOKEN}", {})
    pairs = [each.split(";")[0] for each in headers.get_all("Set-Cookie", [])]
    signed_in = {"Cookie": "; ".join(pairs), "Referer": f"{lab.url}/lab"}
    assert lab.ask("GET", NOTICES, signed_in)[0] == http.HTTPStatus.OK
    assert lab.ask("POST", KEEP, signed_in)[0] == http.HTTPStatus.FORBIDDEN
    xsrf = next(pair.partition("=")[2] for pair in pairs if pair.startswith("_xsrf="))
    assert lab.ask("POST", KEEP, signed_in | {"X-XSRFToken": xsrf})[0] == http.HTTPStatus.OK


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1, 2]",
        b'{"version": 2, "notices": [{"id": "a", "title": "b"}]}',
        b'{"version": 1, "notices": {"id": "a"}}',
        b'{"version": 1, "notices": [1, null, {"id": 7, "title": "b"}, {"id": "a"}]}',
        b'{"version": 1, "notices": [], "more": "' + b"x" * 300_000 + b'"}',
    ],
    ids=["empty", "cut", "bytes", "deep", "list", "later", "not-a-list", "not-notices", "huge"],
)
def test_a_damaged_board_is_an_empty_one(lab: LabContainer, content: bytes) -> None:
    lab.board.put("json", content)
    assert lab.json("GET", NOTICES) == {"version": 1, "notices": []}


def test_a_missing_board_is_an_empty_one(lab: LabContainer) -> None:
    (lab.board.folder / "jupyter.json").unlink()
    assert lab.json("GET", NOTICES) == {"version": 1, "notices": []}


def test_asking_for_notices_is_no_activity(lab: LabContainer) -> None:
    before = lab.json("GET", "/api/status")["last_activity"]
    lab.json("GET", NOTICES)
    assert lab.json("GET", "/api/status")["last_activity"] == before


def test_keep_running_leaves_a_file_of_this_moment(lab: LabContainer) -> None:
    lab.run(f"echo kept > {KEEP_FILE}; touch -d 2001-01-01 {KEEP_FILE}")
    begin = datetime.now(UTC).replace(microsecond=0)
    kept_from = datetime.fromisoformat(lab.json("POST", KEEP)["kept_from"])
    assert begin <= kept_from <= datetime.now(UTC)
    asked = datetime.fromtimestamp(int(lab.run(f"stat -c %Y {KEEP_FILE}")), UTC)
    assert asked == kept_from
    assert lab.run(f"cat {KEEP_FILE}") == "kept"
    lab.run(f"rm {KEEP_FILE}")
    lab.json("POST", KEEP)
    assert lab.run(f"stat -c %U:%a {KEEP_FILE}") == "jovyan:644"


def test_keep_running_says_that_the_folder_is_read_only(lab: LabContainer) -> None:
    lab.run("chmod 555 ~")
    status, _, content = lab.ask("POST", KEEP)
    assert status == http.HTTPStatus.FORBIDDEN
    assert "cannot be written to" in json.loads(content)["message"]


@pytest.mark.parametrize("obstacle", ["mkdir", "mkfifo"])
def test_keep_running_does_not_hang_on_what_is_no_file(lab: LabContainer, obstacle: str) -> None:
    lab.run(f"{obstacle} {KEEP_FILE}")
    status, _, content = lab.ask("POST", KEEP)
    assert status == http.HTTPStatus.INTERNAL_SERVER_ERROR
    assert ".keep-alive.jupyter" in json.loads(content)["message"]


def test_keep_running_says_that_the_storage_is_full(tmp_path: Path) -> None:
    home = {"/home/jovyan": "uid=1000,gid=1000,nr_inodes=200"}
    with lab_container(tmp_path / "board", tmpfs=home) as lab:
        lab.run("for i in {1..200}; do : > ~/$i; done 2>/dev/null")
        status, _, content = lab.ask("POST", KEEP)
    assert status == http.HTTPStatus.INSUFFICIENT_STORAGE
    assert "storage is full" in json.loads(content)["message"]


def test_a_name_cannot_lead_out_of_the_folders(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    with lab_container(tmp_path / "board", environment={"DS01_CONTAINER": "../etc"}) as lab:
        assert lab.json("GET", NOTICES)["notices"] == []
        assert lab.ask("POST", KEEP)[0] == http.HTTPStatus.CONFLICT


def banner(lab: LabContainer, *options: str) -> str:
    """What an interactive shell prints before its first prompt."""
    result = lab.container.exec_run(["bash", "-i", *options, "-c", "true"], tty=True)
    assert isinstance(result.output, bytes)
    return result.output.decode(errors="replace").replace("\r\n", "\n")


@pytest.mark.parametrize("options", [(), ("-l",)], ids=["shell", "login"])
def test_every_shell_begins_with_what_stands(lab: LabContainer, options: tuple[str, ...]) -> None:
    assert banner(lab, *options) == ""
    lab.board.show(text="Your server is stopped at 14:35.\n\tÄsk: ds01 extend\n")
    said = "\nYour server is stopped at 14:35.\n\tÄsk: ds01 extend\n\n"
    assert banner(lab, *options) == said


def test_programs_are_not_told(lab: LabContainer) -> None:
    lab.board.show(text="Your server is stopped soon.")
    assert lab.run("true") == ""


def test_banner_is_bounded_and_cannot_steer_the_terminal(lab: LabContainer) -> None:
    lab.board.put("txt", b"a\x1b[31mb\x07c\x9bd\xc2\x9be\xc2\x01\x9bf\x7f\r\n" + b"x" * 9000)
    said = banner(lab)
    assert len(said) < 4200
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", said) is None
    assert "a[31mbc" in said
    lab.board.put("txt", b"\n \x00\n")
    assert banner(lab) == ""


def test_costs_the_start_next_to_nothing(lab: LabContainer) -> None:
    base = "import jupyter_server.serverapp, jupyterlab.labapp, ds01_notices"

    def cost() -> int:
        timed = lab.run(f"python3 -s -X importtime -c '{base}' 2>&1 | grep ' ds01_notices$'")
        return int(timed.split("|")[1])

    assert any(cost() < IMPORT_MICROSECONDS for _ in range(TRIES))
    verbose = lab.run(f"python3 -B -v -c '{base}' 2>&1")
    assert "ds01_notices" in verbose
    assert re.findall(r"# code object from (/\S+ds01_notices\.py)$", verbose, re.MULTILINE) == []


def test_browsers_notice_a_new_version() -> None:
    script = (EXTENSION / "static/remoteEntry.js").read_bytes()
    load = json.loads((EXTENSION / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert load == f"static/remoteEntry.js?v={hashlib.sha256(script).hexdigest()[:12]}"


def test_lab_is_told_of_the_extension(lab: LabContainer) -> None:
    load = json.loads((EXTENSION / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert load.encode() in lab.ask("GET", "/lab")[2]
    status, _, content = lab.ask("GET", f"/lab/extensions/ds01-notices/{load}")
    assert status == http.HTTPStatus.OK
    assert content == (EXTENSION / "static/remoteEntry.js").read_bytes(), f"{IMAGE} is not current"
