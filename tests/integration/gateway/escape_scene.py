"""What two people have before one of them tries to get at what is not theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

from ds01_spawner.domain.grant import NOTICES
from integration.gateway.escape_lab import Scene, engine
from integration.gateway.gateway_process import Gateway
from integration.gateway.people import Person
from integration.unix_people import own_folder


@contextmanager
def escape_scene(gateway: Gateway, attacker: Person, victim: Person, image: str) -> Iterator[Scene]:
    """The victim has one of everything; the attacker a container, a network and a folder of links.

    Afterwards it is gone, and the attempts have neither ended nor changed what the victim has.
    """
    theirs, mine = victim.named("theirs"), attacker.named("mine")
    with own_folder(attacker.account) as folder, own_folder(victim.account) as their_folder:
        _have_everything(victim, theirs, image, f"{their_folder}:/work")
        attacker.docker("run", "-d", "--name", mine, image, "sleep", "1000")
        attacker.docker("network", "create", mine)
        for name, place in (
            ("to-engine", "/var/run/docker.sock"),
            ("to-victim", victim.account.home),
            ("to-root", "/"),
        ):
            attacker.shell(f"ln -s {place} {folder}/{name}")
        container = victim.inspect(theirs)["Id"]
        staged = engine(f"/containers/{container}/json")["HostConfig"]["Mounts"]
        execution = victim.run(
            lambda: str(victim.client().api.exec_create(container, ["sleep", "1"])["Id"])
        )
        words = {
            "image": image,
            "image_id": engine(f"/images/{image}/json")["Id"],
            "folder": str(folder),
            "mine": mine,
            "mark": attacker.mark,
            "uid": str(attacker.account.uid),
            "theirs": theirs,
            "victim": victim.name,
            "victim_home": victim.account.home,
            "their_container": container,
            "their_exec": execution,
            "their_network": victim.docker("network", "inspect", "-f", "{{.Id}}", theirs),
            "their_image": theirs,
            "their_image_id": victim.docker("image", "inspect", "-f", "{{.Id}}", theirs),
            "their_stage": next(e["Source"] for e in staged if e["Target"] == "/work"),
            "my_network": mine,
            "docker0": engine("/networks/bridge")["Id"],
            "gateway": str(gateway.pid),
            "state": str(gateway.state),
            "run": str(gateway.run),
            "notices": NOTICES,
        }
        try:
            yield Scene(gateway, attacker, victim, image, folder, words)
            state = engine(f"/containers/{container}/json")
            assert state["State"]["Running"]
            assert state["Name"] == f"/{theirs}._.{victim.name}"
        finally:
            attacker.try_docker("rm", "-f", mine)
            attacker.try_docker("network", "rm", mine)
            victim.try_docker("rm", "-f", theirs)
            for kind in ("network", "volume", "image"):
                victim.try_docker(kind, "rm", theirs)


def _have_everything(victim: Person, name: str, image: str, folder: str) -> None:
    victim.docker("volume", "create", name)
    victim.docker("network", "create", name)
    done = victim.shell(
        f"mkdir -p {name} && printf 'FROM {image}\\nLABEL secret={name}\\n' > {name}/Dockerfile"
        f" && DOCKER_BUILDKIT=0 docker build -q -t {name} {name}; ended=$?; rm -r {name}"
        "; exit $ended"
    )
    assert done.code == 0, done.err
    victim.docker(
        *("run", "-d", "--name", name, "-v", f"{name}:/data", "-v", folder, image, "sleep", "1000")
    )
