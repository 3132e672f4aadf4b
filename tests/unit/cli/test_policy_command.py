import json
from pathlib import Path

import pytest

from ds01_cli.main import run

LAB = """\
# the lab
default_group: student
groups:
  student:
    gpu: 1          # one each
    members: [ana]
users:
  ana:
    memory: 32g
    reason: thesis
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DS01_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "resource-limits.yaml").write_text(LAB)
    return tmp_path


def test_check_reports_older_spellings_as_warnings(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "check"]) == 0
    file = config / "resource-limits.yaml"
    assert capsys.readouterr().out.splitlines() == [
        (
            f"warning: {file}:5: gpu is an older spelling of max_gpu_slots; it counts whole GPUs, "
            "so it implies allow_full_gpu: true"
        ),
        f"Rewrite them with: ds01 policy migrate {file}",
        f"{file}: valid; 1 group, 1 person named, 0 members files.",
    ]


def test_check_names_every_fault_and_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("defaults: {memory: lots}\nnonsense: 1\n")
    assert run(["policy", "check", str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split(": ")[0] for line in shown.err.splitlines()] == [f"{file}:1", f"{file}:2"]


def test_check_looks_into_the_groups_folder(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config / "groups").mkdir()
    (config / "groups" / "studnet.members").write_text("ben\n")
    assert run(["policy", "check"]) == 1
    assert "did you mean student?" in capsys.readouterr().err


def test_check_reads_the_exemptions_and_notes_what_to_look_at(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "lifecycle-exemptions.yaml"
    file.write_text(
        "exemptions:\n"
        "  - {user: ana, exempt_from: [idle_timeout], until: 2099-12-31, reason: thesis}\n"
        "  - {user: ana, exempt_from: [idle_timeout], until: 2099-11-30, reason: the same}\n"
        "  - {user: ana, exempt_from: [max_runtime], until: 2020-02-29, reason: old}\n"
        "  - {user: anna, exempt_from: [max_runtime], until: 2099-12-31, reason: typo}\n"
    )
    assert run(["policy", "check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("note: ")] == [
        f"note: {file}:3: line 2 exempts the same from idle_timeout; the later end holds",
        f"note: {file}:4: the exemption of ana expired on 2020-02-29; remove it",
        f"note: {file}:5: nobody is called 'anna' yet; did you mean ana?",
    ]
    assert lines[-1].endswith("1 group, 1 person named, 0 members files, 4 exemptions.")


def test_check_reads_what_containers_may_reach_too(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "isolation.yaml"
    file.write_text("host_ports: [8081]\n")
    assert run(["policy", "check"]) == 0
    assert f"{file}: valid." in capsys.readouterr().out

    file.write_text("host_ports: [ssh]\n")
    assert run(["policy", "check"]) == 1
    assert capsys.readouterr().err == (
        f"{file}:1: host_ports.0: expected a port such as 8081 or 53/udp; found 'ssh'\n"
    )


def test_check_reads_the_channels_too_and_shows_no_secret(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "notifications.yaml"
    file.write_text("channels:\n  chat: {url: 'json://ds01:hunter2@chat.uni.example'}\n")
    assert run(["policy", "check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{file}: valid; 1 channel."
    file.write_text("channels:\n  chat:\n    url: jsn://ds01:hunter2@chat.uni.example\n")
    assert run(["policy", "check"]) == 1
    assert capsys.readouterr().err == (
        f"{file}:3: channels.chat.url: apprise does not understand this address\n"
    )


def test_check_fails_when_the_exemptions_are_wrong(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "lifecycle-exemptions.yaml"
    file.write_text("exemptions:\n  - {user: ana, until: 2099-12-31, reason: thesis}\n")
    assert run(["policy", "check"]) == 1
    assert capsys.readouterr().err == f"{file}:2: exemptions.0.exempt_from: this key is required\n"


def test_explain_shows_exemptions_with_their_end_and_reason(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "lifecycle-exemptions.yaml"
    file.write_text(
        "exemptions:\n"
        "  - {user: ana, container: run, exempt_from: [idle_timeout], until: 2099-12-31,\n"
        "     reason: thesis}\n"
        "  - {user: ana, exempt_from: [max_runtime], until: 2020-02-29 18:00, reason: old}\n"
        "  - {user: ben, exempt_from: [max_runtime], until: 2099-12-31, reason: other}\n"
    )
    assert run(["policy", "explain", "ana"]) == 0
    out = capsys.readouterr().out
    assert f"exempt from idle_timeout (run) until the end of 2099-12-31: thesis ({file}:2)" in out
    assert f"was exempt from max_runtime until 2020-02-29 18:00: old ({file}:4)" in out
    assert "other" not in out
    assert run(["policy", "explain", "ana", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["exemptions"]
    assert [(each["container"], each["exempt_from"], each["reason"]) for each in shown] == [
        ("run", ["idle_timeout"], "thesis"),
        (None, ["max_runtime"], "old"),
    ]


def test_check_of_a_missing_file_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "check", str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path}/none.yaml: cannot be read: no such file or directory\n"
    )


def test_explain_json_is_exactly_the_promised_shape(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "explain", "ana", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["user", "group", "groups", "limits"]
    assert (shown["user"], shown["group"], shown["groups"]) == ("ana", "student", ["student"])
    assert shown["limits"]["memory"] == {
        "value": 32 * 1024**3,
        "origin": "user",
        "source": f"{config}/resource-limits.yaml:9",
    }
    assert shown["limits"]["max_gpu_slots"]["origin"] == "group:student"
    assert shown["limits"]["max_runtime"] == {"value": 86400, "origin": "builtin", "source": None}
    assert all(set(limit) == {"value", "origin", "source"} for limit in shown["limits"].values())


def test_explain_shows_reason_origin_and_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "explain", "ana"]) == 0
    out = capsys.readouterr().out
    assert f"in group student: members ({config}/resource-limits.yaml:6)" in out
    assert "reason for limits of their own: thesis" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["memory"] == ["32g", "user", "9"]
    assert rows["max_gpu_slots"] == ["1", "group", "student", "5"]
    assert rows["idle_timeout"] == ["2h", "built", "in"]


def test_explain_takes_another_file_and_hub_groups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("groups: {phd: {max_gpu_slots: 7}}\n")
    arguments = ["policy", "explain", "zoe", "--json", "--policy", str(file), "--hub-group", "phd"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["limits"]["max_gpu_slots"]["value"] == 7


@pytest.mark.usefixtures("config")
def test_explain_of_a_system_account_says_that_its_unix_groups_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["policy", "explain", "root", "--json"]) == 0
    assert "Unix groups are left out" in capsys.readouterr().err


@pytest.mark.usefixtures("config")
def test_explain_of_no_name_at_all_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "explain", "a/b"]) == 3
    assert "holds a slash" in capsys.readouterr().err


def test_migrate_rewrites_in_place_and_keeps_the_old_file(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "resource-limits.yaml"
    assert run(["policy", "migrate", str(file)]) == 0
    after = file.read_text()
    assert "    max_gpu_slots: 1          # one each\n    allow_full_gpu: true\n" in after
    assert (config / "resource-limits.yaml.bak").read_text() == LAB
    assert "1 older spelling replaced" in capsys.readouterr().out
    assert run(["policy", "check", str(file)]) == 0
    assert "warning" not in capsys.readouterr().out


def test_migrate_dry_run_shows_a_diff_and_writes_nothing(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config / "resource-limits.yaml"
    assert run(["policy", "migrate", "--dry-run", str(file)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "-    gpu: 1          # one each" in out
    assert "+    max_gpu_slots: 1          # one each" in out
    assert file.read_text() == LAB
    assert list(config.iterdir()) == [file]


def test_migrate_writes_elsewhere(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config / "resource-limits.yaml"
    assert run(["policy", "migrate", str(file), "--output", "-"]) == 0
    printed = capsys.readouterr().out
    assert run(["policy", "migrate", str(file), "--output", str(config / "new.yaml")]) == 0
    assert (config / "new.yaml").read_text() == printed
    assert file.read_text() == LAB


def test_migrate_of_a_current_file_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("defaults: {max_cpus: 2}\n")
    assert run(["policy", "migrate", str(file)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]


def test_migrate_of_a_broken_file_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("defaults: {cpu: many}\n")
    assert run(["policy", "migrate", str(file)]) == 1
    assert file.read_text() == "defaults: {cpu: many}\n"
    assert list(tmp_path.iterdir()) == [file]


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "DS01 resource limits"
    assert run(["policy", "schema", "exemptions"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "DS01 lifecycle exemptions"
