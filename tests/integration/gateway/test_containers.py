"""Every verb of the docker program on one's own containers."""

import base64
import json
import tarfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person
from integration.unix_people import ALICE

STEPS = ("sleep", "1000")


@pytest.fixture
def web(alice: Person, tiny_image: str) -> Iterator[str]:
    """A container of alice's that runs until it is told to end."""
    name = alice.named("web")
    script = "trap 'exit 7' TERM; touch /made; while :; do sleep 0.1; done"
    alice.docker("run", "-d", "--name", name, "-l", "kind=server", tiny_image, "sh", "-c", script)
    yield name
    engine_docker("rm", "-f", f"{name}._.{ALICE}", check=False)


def state_of(person: Person, name: str) -> str:
    return str(person.inspect(name)["State"]["Status"])


def names(person: Person, *arguments: str) -> set[str]:
    return set(person.docker("ps", "--format", "{{.Names}}", *arguments).split())


def test_a_run_gives_its_output_and_its_exit_code(alice: Person, tiny_image: str) -> None:
    done = alice.try_docker("run", "--rm", tiny_image, "sh", "-c", "echo out; echo err >&2; exit 3")

    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")


def test_what_is_typed_reaches_it(alice: Person, tiny_image: str) -> None:
    assert alice.docker("run", "--rm", "-i", tiny_image, "wc", "-l", stdin="a\nb\n") == "2"


def test_a_command_that_is_not_there_says_so_and_leaves_nothing(
    alice: Person, tiny_image: str
) -> None:
    name = alice.named("missing")

    done = alice.try_docker("run", "--rm", "--name", name, tiny_image, "nosuchcommand")

    assert done.code == 127, done.err
    assert "nosuchcommand" in done.err
    assert names(alice, "-a", "-f", f"name={name}") == set()


def test_it_runs_as_its_owner_and_not_as_root(alice: Person, tiny_image: str) -> None:
    assert alice.docker("run", "--rm", tiny_image, "id", "-u") == str(alice.account.uid)


def test_a_list_holds_ones_own_under_ones_own_names(alice: Person, bob: Person, web: str) -> None:
    assert web in names(alice)
    assert not {each for each in names(bob, "-a") if web in each}
    line = alice.docker("ps", "--no-trunc", "--format", "{{json .}}", "-f", f"name={web}")
    assert json.loads(line)["Names"] == web
    assert "_._" not in line


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("name={web}", True),
        ("name=^/{web}$", True),
        ("name=^{web}$", True),
        ("name=^we[a-c]-", True),
        ("name=^/eb", False),
        ("name={web}x", False),
        ("name=test-alice", False),
        ("label=kind=server", True),
        ("label=kind", True),
        ("label=kind=client", False),
        ("label=ds01.user=ds01-test-bob", False),
        ("status=running", True),
        ("status=exited", False),
        ("ancestor={image}", True),
        ("ancestor=nosuchimage", False),
        ("network=ds01-ds01-test-alice", True),
        ("network=ds01-ds01-test-bob", False),
        ("health=none", True),
        ("id={id}", True),
    ],
)
def test_filters_mean_what_they_say(
    alice: Person, web: str, tiny_image: str, filters: str, found: bool
) -> None:
    full = alice.inspect(web)["Id"]
    wanted = filters.format(web=web, image=tiny_image, id=full[:12])

    assert (web in names(alice, "-f", wanted)) is found


def test_before_and_since_compare_with_ones_own(alice: Person, web: str, tiny_image: str) -> None:
    later = alice.named("later")
    alice.docker("create", "--name", later, tiny_image, *STEPS)

    assert later in names(alice, "-a", "-f", f"since={web}")
    assert web not in names(alice, "-a", "-f", f"since={web}")
    assert web in names(alice, "-a", "-f", f"before={later}")
    assert names(alice, "-l") == {later}
    assert len(names(alice, "-n", "2")) == 2
    alice.docker("rm", later)


def test_an_unknown_filter_is_refused_as_by_docker(alice: Person) -> None:
    assert "invalid filter" in alice.refused("ps", "-f", "colour=red").lower()


def test_an_inspection_speaks_the_owners_names(alice: Person, web: str) -> None:
    seen = alice.inspect(web)

    assert seen["Name"] == f"/{web}"
    assert seen == alice.inspect(seen["Id"]) == alice.inspect(seen["Id"][:12])
    assert seen["Config"]["Labels"]["kind"] == "server"
    assert "SizeRw" in json.loads(alice.docker("container", "inspect", "-s", web))[0]


def test_stop_start_restart_wait(alice: Person, gateway: Gateway, web: str) -> None:
    waiting = alice.popen("wait", web)

    alice.docker("stop", "-t", "5", web)

    assert waiting.communicate(timeout=20)[0].strip() == "7"
    assert state_of(alice, web) == "exited"
    alice.docker("stop", web)
    alice.docker("start", web)
    alice.docker("start", web)
    assert state_of(alice, web) == "running"
    began = alice.inspect(web)["State"]["StartedAt"]
    alice.docker("restart", "-t", "5", web)
    assert alice.inspect(web)["State"]["StartedAt"] != began
    assert len(gateway.events("container.stop", ALICE)) >= 2
    assert len(gateway.events("container.start", ALICE)) >= 2


def test_a_container_that_ends_with_its_run_is_restarted_whole(
    alice: Person, tiny_image: str
) -> None:
    name = alice.named("brief")
    alice.docker("run", "-d", "--rm", "--name", name, tiny_image, *STEPS)

    alice.docker("restart", "-t", "0", name)

    assert state_of(alice, name) == "running"
    alice.docker("stop", "-t", "0", name)
    eventually(lambda: not names(alice, "-a", "-f", f"name={name}"), what="it is gone")


def test_kill_pause_unpause(alice: Person, gateway: Gateway, web: str) -> None:
    alice.docker("pause", web)
    assert state_of(alice, web) == "paused"
    assert "unpause" in alice.refused("start", web)
    alice.docker("unpause", web)
    assert state_of(alice, web) == "running"
    alice.docker("kill", "-s", "TERM", web)
    eventually(lambda: state_of(alice, web) == "exited", what="it ended")
    told = alice.refused("kill", web)
    assert f"{web}" in told
    assert "is not running" in told
    assert gateway.events("container.kill", ALICE)[-1]["details"]["signal"] == "TERM"
    assert gateway.events("container.pause", ALICE)


def test_top_diff_export(alice: Person, web: str, tiny_image: str) -> None:
    assert "sleep" in alice.docker("top", web)
    assert alice.docker("top", web, "-o", "pid,args").splitlines()[0].split() == ["PID", "COMMAND"]
    assert "is not offered here" in alice.refused("top", web, "-o", "pid=PID")
    alice.docker("diff", web)
    files = alice.named("files")
    alice.docker("create", "--name", files, tiny_image, *STEPS)
    exported = alice.shell(f"docker export {files} | base64 -w0")
    with tarfile.open(fileobj=BytesIO(base64.b64decode(exported.out))) as archive:
        assert "bin/busybox" in archive.getnames()
    alice.docker("rm", files)


def test_a_new_name_is_the_name(alice: Person, gateway: Gateway, web: str) -> None:
    new = alice.named("renamed")

    alice.docker("rename", web, new)

    assert alice.inspect(new)["Name"] == f"/{new}"
    assert f"No such container: {web}" in alice.refused("container", "inspect", web)
    assert engine_docker("ps", "-q", "-f", f"name=^/{new}._.{ALICE}$")
    assert gateway.events("container.rename", ALICE)
    alice.docker("rename", new, web)


def test_a_taken_name_is_told_in_dockers_words(alice: Person, web: str, tiny_image: str) -> None:
    other = alice.named("other")
    alice.docker("create", "--name", other, tiny_image, *STEPS)

    told = alice.refused("rename", other, web)

    assert f'The container name "/{web}" is already in use by container' in told
    assert "_._" not in told
    alice.docker("rm", other)


def test_two_people_have_the_same_name(
    alice: Person, bob: Person, web: str, tiny_image: str
) -> None:
    bob.docker("run", "-d", "--name", web, tiny_image, *STEPS)

    assert bob.inspect(web)["Id"] != alice.inspect(web)["Id"]
    bob.docker("rm", "-f", web)
    assert state_of(alice, web) == "running"


def test_an_update_within_the_limits_is_done(alice: Person, web: str) -> None:
    alice.docker("update", "--memory", "128m", "--cpus", "0.5", web)

    assert alice.inspect(web)["HostConfig"]["Memory"] == 128 * 1024**2
    told = alice.refused("update", "--memory", "1g", "--memory-swap", "1g", web)
    assert "512" in told
    assert alice.inspect(web)["HostConfig"]["Memory"] == 128 * 1024**2


def slots_of(gateway: Gateway, name: str) -> list[str]:
    """The slots that alice's container of this name has."""
    uses = gateway.platform.admission.current().occupancy.of(ALICE)
    return [use.slot.uuid for use in uses if use.container == f"{name}._.{ALICE}"]


def test_a_removal_frees_the_slot_at_once(alice: Person, gateway: Gateway, tiny_image: str) -> None:
    name = alice.named("gpu")
    alice.docker("run", "-d", "--name", name, "--gpus", "1", tiny_image, *STEPS)
    assert slots_of(gateway, name)

    alice.docker("rm", "-f", "-v", name)

    assert slots_of(gateway, name) == []
    assert gateway.events("container.remove", ALICE)[-1]["resource"] == f"{name}._.{ALICE}"


def test_a_run_that_ends_by_itself_frees_its_slot(
    alice: Person, gateway: Gateway, tiny_image: str
) -> None:
    name = alice.named("brief")
    alice.docker("run", "--rm", "--name", name, "--gpus", "1", tiny_image, "true")

    eventually(lambda: slots_of(gateway, name) == [], what="the slot is free")


def test_the_end_of_a_run_is_in_the_log_once_with_its_code(
    alice: Person, gateway: Gateway, tiny_image: str
) -> None:
    name = alice.named("ends")
    done = alice.try_docker("run", "--rm", "--name", name, tiny_image, "sh", "-c", "exit 3")
    assert done.code == 3

    def told() -> list[dict[str, Any]]:
        every = gateway.events("container.exit", ALICE)
        return [each for each in every if each["resource"].startswith(name)]

    (event,) = eventually(told)
    assert event["details"]["exit_code"] == 3


def test_a_container_that_was_renamed_before_its_start_keeps_its_slot(
    alice: Person, tiny_image: str
) -> None:
    first, then = alice.named("first"), alice.named("then")
    alice.docker("create", "--name", first, "--gpus", "1", tiny_image, *STEPS)

    alice.docker("rename", first, then)
    alice.docker("start", then)

    assert state_of(alice, then) == "running"
    alice.docker("rm", "-f", then)


def test_what_runs_is_removed_only_by_force(alice: Person, web: str) -> None:
    told = alice.refused("rm", web)

    assert "stop the container before" in told.lower()
    assert "_._" not in told


def test_a_prune_removes_what_stopped_and_no_more(
    alice: Person, bob: Person, web: str, tiny_image: str
) -> None:
    ended, kept = alice.named("ended"), alice.named("kept")
    alice.docker("run", "--name", ended, tiny_image, "true")
    alice.docker("run", "--name", kept, "-l", "keep=1", tiny_image, "true")
    bob.docker("run", "--name", ended, tiny_image, "true")
    hers, his = alice.inspect(ended)["Id"], bob.inspect(ended)["Id"]

    assert hers not in alice.docker("container", "prune", "-f", "--filter", "until=1h")
    told = alice.docker("container", "prune", "-f", "--filter", "label!=keep")

    assert hers in told
    assert his not in told
    assert {web, kept} <= names(alice, "-a")
    assert ended in names(bob, "-a")
    bob.docker("rm", ended)
    alice.docker("rm", kept)


@pytest.fixture
def older(alice: Person, tiny_image: str) -> Iterator[str]:
    """A container that AIME's `mlc` made before there was a gateway."""
    name = f"{alice.named('old')}._.{alice.account.uid}"
    engine_docker(
        *("run", "-d", "--name", name, "-l", f"aime.mlc={alice.name}"),
        *("-l", f"aime.mlc.USER={alice.name}", tiny_image, *STEPS),
    )
    yield name
    engine_docker("rm", "-f", name, check=False)


def test_an_older_container_is_looked_at_and_ended_only(
    alice: Person, bob: Person, older: str
) -> None:
    eventually(lambda: names(alice, "-f", f"name=^/{older}$") == {older}, what="it is listed")
    assert older not in names(bob)
    assert alice.inspect(older)["Name"] == f"/{older}"
    alice.docker("stop", "-t", "0", older)
    for refused in (
        ("start", older),
        ("rename", older, "mine"),
        ("update", "--cpus", "1", older),
        ("export", "-o", "ds01-test-export.tar", older),
        ("exec", older, "id"),
        ("cp", f"{older}:/etc", "-"),
        ("commit", older, "mine"),
    ):
        assert "nobody knows what it was given" in alice.refused(*refused)
    alice.docker("container", "prune", "-f")
    assert older in names(alice, "-a")
    alice.docker("rm", older)


def test_aimes_mlc_finds_what_it_makes_by_the_names_it_gives(
    alice: Person, tiny_image: str
) -> None:
    tag = f"{alice.named('thesis')}._.{alice.account.uid}"
    marks = (f"aime.mlc={alice.name}", f"aime.mlc.USER={alice.name}", "aime.mlc.NAME=thesis")
    given = [part for mark in marks for part in ("--label", mark)]
    alice.docker("create", "-it", *given, "--name", tag, "--gpus", "all", tiny_image, "sh")

    found = alice.docker(
        *("container", "ls", "-a", "--filter=label=aime.mlc", f"--filter=name=^/{tag}$"),
        *("--filter", f"label=aime.mlc.USER={alice.name}"),
        *("--format", '{{.Label "aime.mlc.NAME"}}'),
    )
    assert found == "thesis"
    alice.docker("start", tag)
    assert alice.docker("exec", tag, "echo", "in") == "in"
    alice.docker("rm", "-f", tag)


def test_a_server_of_the_hub_is_stopped_and_removed_but_not_changed(
    alice: Person, gateway: Gateway, tiny_image: str
) -> None:
    server = alice.named("jupyter")
    marks = {
        "ds01.managed": "true",
        "ds01.user": alice.name,
        "ds01.instance": gateway.instance,
        "ds01.interface": "hub",
        "ds01.name": server,
        "ds01.created_at": "2026-01-31T12:00:00.000000Z",
    }
    given = [part for key, value in marks.items() for part in ("-l", f"{key}={value}")]
    engine_docker("run", "-d", "--name", f"{server}._.{ALICE}", *given, tiny_image, *STEPS)

    assert "JupyterHub" in alice.refused("restart", server)
    assert "find this container by its name" in alice.refused("rename", server, "mine")
    assert "JupyterHub" in alice.refused("update", "--cpus", "1", server)
    alice.docker("stop", "-t", "0", server)
    assert "JupyterHub" in alice.refused("start", server)
    alice.docker("container", "prune", "-f")
    assert server in names(alice, "-a")
    alice.docker("rm", server)


def test_docker_py_works_as_it_is(alice: Person, tiny_image: str) -> None:
    name = alice.named("py")

    def deed() -> tuple[list[str | None], int, str, list[str | None]]:
        client = alice.client()
        made = client.containers.run(
            tiny_image, ["sh", "-c", "echo hi; exit 4"], name=name, detach=True
        )
        code = made.wait()["StatusCode"]
        listed = [each.name for each in client.containers.list(all=True, filters={"name": name})]
        logs = made.logs().decode()
        made.remove(v=True)
        left = [each.name for each in client.containers.list(all=True, filters={"name": name})]
        return listed, code, logs, left

    assert alice.run(deed) == ([name], 4, "hi\n", [])
