"""Links of an image that lead what the engine makes as root into a folder of the server."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.operations.containers.mount_places import check_places, places_of
from integration.gateway.gateway_process import Gateway, engine_docker
from integration.gateway.people import Person
from integration.unix_people import own_folder

DOCKERFILE = """FROM {image}
RUN ln -s /data /x && ln -s /etc /e && mkdir /mine && chown {uid} /mine
"""


@pytest.fixture
def linked(alice: Person, tiny_image: str) -> Iterator[str]:
    name = alice.named("linked")
    text = DOCKERFILE.format(image=tiny_image, uid=alice.account.uid)
    with own_folder(alice.account) as context:
        alice.run(lambda: (context / "Dockerfile").write_text(text))
        alice.docker("build", "-q", "-t", name, str(context))
    yield name
    alice.docker("rmi", "-f", name)


@pytest.fixture
def scratch(bob: Person) -> Iterator[Path]:
    """A folder that everybody may write to, with one of bob's that nobody else may enter."""
    made = Path("/srv") / f"ds01-test-{secrets.token_hex(4)}"
    (made / "bob").mkdir(parents=True)
    made.chmod(0o1777)
    os.chown(made / "bob", bob.account.uid, bob.account.gid)
    (made / "bob").chmod(0o700)
    yield made
    subprocess.run(["rm", "-r", str(made)], check=True)


@pytest.mark.parametrize(
    "options",
    [
        ("-v", "{volume}:/x/bob/new"),
        ("-v", "/x/bob/new"),
        ("--tmpfs", "/x/bob/new"),
        ("-v", "{folder}:/x/bob/new"),
        ("-w", "/x/bob/new"),
    ],
    ids=["volume", "volume without a name", "tmpfs", "folder", "working directory"],
)
def test_nothing_is_made_as_root_where_a_link_of_the_image_leads(
    alice: Person, linked: str, scratch: Path, options: tuple[str, str]
) -> None:
    volume = alice.named("v")
    with own_folder(alice.account) as folder:
        words = [each.format(volume=volume, folder=folder) for each in options]
        done = alice.try_docker(*("run", "--rm", "-v", f"{scratch}:/data", *words, linked, "true"))
    alice.try_docker("volume", "rm", volume)
    assert done.code != 0
    assert "you may not create it there" in done.err or "is mounted already" in done.err
    assert list((scratch / "bob").iterdir()) == []


def test_ones_own_place_behind_a_link_is_made_as_oneself(
    alice: Person, linked: str, scratch: Path
) -> None:
    alice.docker(*("run", "--rm", "-v", f"{scratch}:/data", "--tmpfs", "/x/mine/t", linked, "true"))
    assert (scratch / "mine/t").stat().st_uid == alice.account.uid


def test_a_link_that_the_container_made_counts_at_its_next_start(
    alice: Person, linked: str, scratch: Path
) -> None:
    name = alice.named("again")
    script = "mv /mine/a /mine/b && ln -s /data/bob /mine/a"
    alice.docker(
        *("create", "--name", name, "-v", f"{scratch}:/data", "--tmpfs", "/mine/a/new"),
        *(linked, "sh", "-c", script),
    )
    try:
        alice.docker("start", "-a", name)
        told = alice.refused("start", name)
    finally:
        alice.docker("rm", "-f", name)
    assert "you may not create it there" in told
    assert list((scratch / "bob").iterdir()) == []


def test_a_link_to_the_file_of_groups_is_refused(alice: Person, linked: str, scratch: Path) -> None:
    with own_folder(alice.account) as folder:
        alice.shell(f"echo x > {folder}/group")
        told = alice.refused(
            *("run", "--rm", "-v", f"{scratch}:/data", "-v", f"{folder}/group:/e/group"),
            *(linked, "true"),
        )
    assert "leads to '/etc/group'" in told


@pytest.mark.parametrize("volume", ["", "VOLUME /x/bob/new"])
def test_an_image_of_a_server_of_the_hub_leads_into_no_folder_either(
    alice: Person, gateway: Gateway, tiny_image: str, scratch: Path, volume: str
) -> None:
    """A launch looks at what was made, before it is started."""
    image, name = alice.named("hubs"), f"{alice.named('hub')}._.{alice.name}"
    home = alice.account.home
    link = "RUN ln -s /data /x" if volume else "RUN rm -rf /home && ln -s /data/bob /home"
    with own_folder(alice.account) as context:
        text = f"FROM {tiny_image}\n{link}\n{volume}\n"
        alice.run(lambda: (context / "Dockerfile").write_text(text))
        alice.docker("build", "-q", "-t", image, str(context))
    spec = ContainerSpec(
        name=name,
        image=f"ds01-{alice.name}/{image}",
        labels={},
        cgroup_parent="/ds01-test",
        command=("true",),
        network="none",
        working_dir=home,
        mounts=(Mount("bind", home, home), Mount("bind", str(scratch), "/data")),
    )
    engine = gateway.platform.engine
    try:
        made = engine.container(engine.create(spec))
        assert made is not None
        led = engine.leads_to(made.id, places_of(made))
        with pytest.raises(Forbidden, match="where an image has nothing made"):
            check_places(made, spec, led)
    finally:
        engine_docker("rm", "-f", "-v", name, check=False)
        alice.docker("rmi", "-f", image)


def test_nothing_begins_where_a_link_leads_to_what_the_runtime_left_open(
    alice: Person, tiny_image: str
) -> None:
    image, name = alice.named("open"), alice.named("begins")
    with own_folder(alice.account) as context:
        text = f"FROM {tiny_image}\nRUN ln -s /proc/self/fd /l\n"
        alice.run(lambda: (context / "Dockerfile").write_text(text))
        alice.docker("build", "-q", "-t", image, str(context))
        direct = f"FROM {tiny_image}\nWORKDIR /proc/self/fd/8\nRUN ls ../../..\n"
        alice.run(lambda: (context / "Dockerfile").write_text(direct))
        done = alice.try_docker("build", str(context))
    try:
        told = alice.refused("run", "--name", name, "-w", "/l/8", image, "ls", "../../..")
    finally:
        alice.try_docker("rm", "-f", name)
        alice.docker("rmi", "-f", image)
    assert "is the kernel's" in told
    assert done.code != 0
    assert "is the kernel's" in done.out + done.err


@pytest.mark.parametrize(
    "options",
    [
        ("-v", "{home}:/v/sub/x"),
        ("-v", "{volume}-2:/v/sub/x"),
        ("--tmpfs", "/v/sub/x"),
        ("-w", "/v/sub/x"),
    ],
    ids=["folder", "volume", "tmpfs", "working directory"],
)
def test_nothing_is_made_as_root_where_a_link_of_a_volume_leads(
    alice: Person, scratch: Path, tiny_image: str, options: tuple[str, str]
) -> None:
    volume = alice.named("l")
    alice.docker(
        *("run", "--rm", "-v", f"{volume}:/v", tiny_image, "ln", "-s", "/data/bob", "/v/sub")
    )
    try:
        with own_folder(alice.account) as home:
            words = [each.format(volume=volume, home=home) for each in options]
            told = alice.refused(
                *("run", "--rm", "-v", f"{volume}:/v", "-v", f"{scratch}:/data", *words),
                *(tiny_image, "true"),
            )
    finally:
        alice.try_docker("volume", "rm", volume, f"{volume}-2")
    assert "where something is mounted already" in told
    assert list((scratch / "bob").iterdir()) == []
