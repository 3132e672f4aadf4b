import json
import re

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.gateway.docker.containers.lookup import Owned, is_managed
from fakes.calls import ALICE, BOB
from fakes.engine_json import INSTANCE, inspected, legacy, managed, own
from fakes.engine_link import FakeEngineLink

WEB = own("web", "alice", full_id="aa11" + "0" * 60)
RUN = own("run", "alice", full_id="aa22" + "0" * 60)
BOBS = own("web", "bob", full_id="aa11" + "f" * 60)
OLD = inspected("old._.1001", legacy("old", "alice"), full_id="bb11" + "0" * 60)
STRANGE = inspected("database", {}, full_id="cc11" + "0" * 60)
ELSEWHERE = inspected(
    "hub._.alice", managed("hub", "alice", instance="another"), full_id="dd11" + "0" * 60
)
FORGED = inspected("forged", {labels.USER: "alice"}, full_id="ee11" + "0" * 60)
EVERYTHING = (WEB, RUN, BOBS, OLD, STRANGE, ELSEWHERE, FORGED)


def lab() -> tuple[Owned, FakeEngineLink]:
    engine = FakeEngineLink(list(EVERYTHING))
    return Owned(engine, INSTANCE), engine


@pytest.mark.parametrize(
    "ref", ["web", "/web", "web._.alice", "/web._.alice", WEB["Id"], WEB["Id"][:12], "aa11"]
)
async def test_every_way_to_name_a_container_finds_ones_own(ref: str) -> None:
    owned, _ = lab()

    assert await owned.container(ALICE, ref) == WEB


@pytest.mark.parametrize("ref", ["old._.1001", "/old._.1001", OLD["Id"], "bb11"])
async def test_an_older_container_is_found_by_its_engine_name(ref: str) -> None:
    owned, _ = lab()

    found = await owned.container(ALICE, ref)

    assert found == OLD
    assert not is_managed(found)


async def test_a_name_that_ends_with_ones_user_id_is_ones_own_name() -> None:
    owned, _ = lab()

    assert await owned.container(ALICE, "web._.1001") == WEB


@pytest.mark.parametrize(
    "ref",
    [
        "web._.bob",
        BOBS["Id"],
        BOBS["Id"][:12],
        BOBS["Id"][:5],
        "database",
        STRANGE["Id"],
        STRANGE["Id"][:12],
        "hub",
        ELSEWHERE["Id"],
        "forged",
        FORGED["Id"],
        "web._.1002",
        "nothing",
        "",
        "/",
        "web/json",
        "web?all=1",
        "a" * 64,
        "a" * 4000,
        "../images",
        "web._.alice/../../info",
    ],
)
async def test_what_is_not_ones_own_does_not_exist(ref: str) -> None:
    owned, _ = lab()

    with pytest.raises(NotFound, match=f"^{re.escape(f'No such container: {ref}')}$"):
        await owned.container(ALICE, ref)


async def test_an_ambiguity_with_anothers_id_is_none() -> None:
    owned, _ = lab()

    assert await owned.container(ALICE, "aa1") == WEB
    assert await owned.container(BOB, "aa") == BOBS


async def test_an_ambiguity_among_ones_own_is_told() -> None:
    owned, _ = lab()

    with pytest.raises(InvalidRequest, match="Multiple IDs found with provided prefix: aa"):
        await owned.container(ALICE, "aa")


async def test_a_short_id_that_a_stranger_took_as_a_name_is_ones_own_id() -> None:
    owned, engine = lab()
    engine.containers.insert(0, inspected(WEB["Id"][:12], {}, full_id="f" * 64))

    assert await owned.container(ALICE, WEB["Id"][:12]) == WEB


async def test_the_list_holds_ones_own_and_older_ones() -> None:
    owned, _ = lab()

    found = await owned.listed(ALICE, query={"all": "1"})

    assert {entry["Id"] for entry in found} == {WEB["Id"], RUN["Id"], OLD["Id"]}


async def test_an_image_that_says_whose_it_is_gives_nobody_a_container() -> None:
    owned, engine = lab()
    taken = {**managed("x", "bob"), labels.LEGACY_USER: "alice"}
    engine.containers.append(inspected("x._.bob", taken))

    assert "x._.bob" not in {each["Names"][0] for each in await owned.listed(ALICE)}
    with pytest.raises(NotFound):
        await owned.container(ALICE, "x._.bob")


async def test_who_has_older_containers_is_asked_once_in_a_while() -> None:
    engine = FakeEngineLink(list(EVERYTHING))
    now = 0.0
    owned = Owned(engine, INSTANCE, monotonic=lambda: now)

    await owned.listed(BOB)
    engine.asked.clear()
    await owned.listed(BOB)
    assert len(engine.asked) == 1
    engine.containers.append(inspected("older._.1002", legacy("older", "bob")))
    now = 10.0

    assert "/older._.1002" in {each["Names"][0] for each in await owned.listed(BOB)}


async def test_no_question_is_about_everybodys_containers() -> None:
    owned, engine = lab()
    await owned.listed(ALICE)

    about = [json.loads(asked.query["filters"][0])["label"] for asked in engine.asked]

    assert about
    assert all(
        f"{labels.LEGACY_USER}=alice" in marks or f"{labels.USER}=alice" in marks for marks in about
    )


async def test_a_new_container_with_the_older_label_costs_no_second_list() -> None:
    both = {**managed("x", "bob"), labels.LEGACY_USER: "bob"}
    engine = FakeEngineLink([inspected("x._.bob", both)])
    owned = Owned(engine, INSTANCE)
    await owned.listed(BOB)
    engine.asked.clear()

    assert len(await owned.listed(BOB)) == 1
    assert len(engine.asked) == 1


@pytest.mark.parametrize("ref", ["web._.bob", "web._.1002", "nothing._.bob"])
async def test_the_engine_is_not_asked_about_names_that_end_as_anothers(ref: str) -> None:
    owned, engine = lab()
    with pytest.raises(NotFound):
        await owned.container(ALICE, ref)
    assert engine.asked == []
