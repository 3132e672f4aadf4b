"""`ds01 container …` before a real gateway: made, used, given back."""

import json
import os
from pathlib import Path

from ds01_spawner.home import mounts
from integration.cli.typing_people import Typist
from integration.gateway.gateway_process import Gateway


def test_a_container_is_deployed_used_and_retired(
    gateway: Gateway, alice: Typist, bob: Typist
) -> None:
    name = alice.named("life")
    done = alice.tries("container", "deploy", name, "--gpu", "1g.5gb")
    assert done.code == 0, done.err
    assert f"{name} runs, with GPU slot " in done.out
    assert "(1g.5gb)" in done.out
    assert f"ds01 ssh {name}" in done.out
    assert "Making the container." in done.err

    (found,) = [
        each for each in alice.told("container", "list")["containers"] if each["name"] == name
    ]
    assert (found["interface"], found["state"], len(found["gpu_slots"])) == ("cli", "running", 1)
    assert name not in bob.types("container", "list")
    who = alice.types("container", "exec", name, "--", "sh", "-c", "id -u; pwd; env")
    assert str(alice.person.account.uid) in who.splitlines()[0]
    assert who.splitlines()[1] == alice.person.account.home
    assert "NVIDIA_VISIBLE_DEVICES=" in who
    (stats,) = alice.told("container", "stats", name)["containers"]
    assert stats["memory_bytes"] > 0
    assert alice.told("container", "stats", "--filter", "gpu=none")["containers"] == []

    assert "is paused" in alice.types("container", "pause", name)
    refused = alice.tries("container", "exec", name, "--", "true")
    assert (refused.code, "unpause" in refused.err) == (1, True)
    assert "goes on" in alice.types("container", "unpause", name)
    assert "is stopped" in alice.types("container", "stop", name)
    assert "does not run" in alice.tries("container", "exec", name, "--", "true").err
    assert "runs" in alice.types("container", "start", name)
    assert alice.tries("container", "remove", name).code == 1
    assert "is free for the next" in alice.types("container", "retire", name)
    assert alice.tries("container", "show", name).code == 5
    assert gateway.events("container.create", alice.name)[-1]["interface"] == "cli"


def test_a_command_of_ones_own_is_run_and_its_output_is_there(alice: Typist) -> None:
    name = alice.named("job")
    alice.types("container", "deploy", name, "--cpu-only", "--", "sh", "-c", "echo hello; sleep 60")
    assert alice.types("container", "logs", name) == "hello\n"
    alice.types("container", "remove", "-f", name)


def test_a_container_can_tell_which_folder_of_the_home_its_workspace_is(alice: Typist) -> None:
    account = alice.person.account
    home, name = Path(account.home), alice.named("mounts")
    folder = home / "work" / "leaf study"
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        os.chown(each, account.uid, account.gid)
    alice.types("container", "deploy", name, "--cpu-only", "-w", str(folder))
    told = alice.types("container", "exec", name, "--", "cat", "/proc/self/mountinfo")
    inside = mounts.parse(told)
    found = mounts.below(home, Path("/workspace/data"), inside, lambda *_: True)
    assert found == folder / "data"
    assert mounts.below(home, Path("/tmp"), inside, lambda *_: True) is None
    alice.types("container", "retire", name)


def test_what_is_somebody_elses_is_not_there(alice: Typist, bob: Typist) -> None:
    name = bob.named("bobs")
    bob.types("container", "deploy", name, "--cpu-only")
    for words in (
        ("show", name),
        ("stop", name),
        ("retire", name),
        ("logs", name),
        ("exec", name, "--", "true"),
        ("exec", f"{name}._.{bob.name}", "--", "true"),
        ("pause", name),
    ):
        done = alice.tries("container", *words)
        assert done.code == 5, (words, done.err)
        assert "no container called" in done.err
    bob.types("container", "retire", name)


def test_a_name_that_is_taken_an_image_that_is_missing_and_a_dry_run(alice: Typist) -> None:
    name = alice.named("taken")
    alice.types("container", "create", name, "--cpu-only")
    taken = alice.tries("container", "deploy", name, "--cpu-only")
    assert (taken.code, "already" in taken.err) == (1, True)
    other = alice.named("other")
    missing = alice.tries("container", "deploy", other, "--cpu-only", "--image", "nonsense")
    assert (missing.code, "nonsense" in missing.err) == (3, True), missing.err
    folder = alice.tries("container", "deploy", other, "--cpu-only", "-w", "nowhere")
    assert folder.code in {3, 5}, folder.err
    assert "nowhere" in folder.err
    too_much = alice.tries("container", "deploy", other, "--num-gpus", "9", "--gpu", "mig")
    assert (too_much.code, "may have 2" in too_much.err) == (3, True), too_much.err
    look = alice.types("container", "deploy", other, "--gpu", "mig", "--dry-run")
    assert "Nothing was made" in look
    full = alice.tries("container", "deploy", other, "--gpu", "full", "--dry-run")
    assert full.code == 3
    assert json.loads(alice.tries("container", "list", "--json").out)["containers"]
    assert alice.tries("container", "show", other).code == 5
    alice.types("container", "remove", name)


def test_everybodys_are_for_managers(alice: Typist) -> None:
    refused = alice.tries("container", "list", "--all")
    assert (refused.code, "managers" in refused.err) == (3, True)
