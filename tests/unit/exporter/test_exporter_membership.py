from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from fakes.exporter_lab import GIB, POLICY, ExporterLab, Scraped
from fakes.policy import FakePolicy

DORAS = "e6" * 32
LIMITS = ("gpu_slots", "gpu_equivalents", "containers", "cpu_cores", "memory_bytes")
UNLISTED = POLICY.replace("    members: [carol]\n", "    storage: 500G\n")


def lab_of(policy: str) -> ExporterLab:
    lab = ExporterLab()
    lab.policy.inner = FakePolicy(policy)
    return lab


def run_as(lab: ExporterLab, group: str, **marks: str) -> None:
    """Let dora have a container of a group that only her account or the hub tells."""
    lab.lab.engine.put(
        Container(
            id=DORAS,
            name="x._.dora",
            state=ContainerState.RUNNING,
            labels={
                labels.MANAGED: "true",
                labels.USER: "dora",
                labels.GROUP: group,
                **marks,
            },
            created_at=lab.lab.clock.now(),
        )
    )


def measured(lab: ExporterLab, limit: int | None = 500 * GIB, days: int = 0) -> None:
    at = lab.lab.clock.now() - timedelta(days=days)
    with lab.ledger.transaction() as transaction:
        transaction.put_storage(StorageUse("dora", 200 * GIB, at, "quota", limit_bytes=limit))


def used(lab: ExporterLab, *groups: str) -> None:
    amount = Amount(held_microseconds=10**6)
    with lab.ledger.transaction() as transaction:
        for group in groups:
            holder = Holder("dora", group, "", "hub", "full", 1.0)
            transaction.book_usage(Grain.HOUR, [Booking(holder, lab.lab.clock.now(), amount)])


def limits_of_dora(found: Scraped) -> dict[str, dict[tuple[str, ...], float]]:
    return {name: found.rows(f"ds01_user_{name}_limit") for name in LIMITS}


def test_who_has_no_container_any_more_keeps_group_and_limits() -> None:
    lab = lab_of(UNLISTED)
    measured(lab)
    run_as(lab, "researcher")
    before = lab.scrape()
    assert before.rows("ds01_user_gpu_slots_limit")["researcher", "dora"] == 4.0
    lab.lab.engine.remove(DORAS)
    after = lab.scrape()
    assert limits_of_dora(after) == limits_of_dora(before)
    assert after.value("ds01_user_storage_bytes", user="dora", group="researcher") == 200 * GIB
    assert (
        after.value("ds01_user_storage_bytes_limit", user="dora", group="researcher") == 500 * GIB
    )


def test_after_a_restart_the_books_tell_the_group() -> None:
    lab = lab_of(UNLISTED)
    measured(lab)
    used(lab, "researcher")
    found = lab.scrape()
    assert found.rows("ds01_user_gpu_slots_limit") == {("researcher", "dora"): 4.0}
    assert found.rows("ds01_user_storage_bytes_limit") == {("researcher", "dora"): 500 * GIB}


@pytest.mark.parametrize(
    "groups", [(), ("student", "researcher"), ("gone",)], ids=["never", "several", "no-group-now"]
)
def test_whose_group_is_not_known_has_no_limits_and_not_those_of_the_default_group(
    groups: tuple[str, ...],
) -> None:
    lab = lab_of(UNLISTED)
    measured(lab)
    used(lab, *groups)
    found = lab.scrape()
    assert not any(limits_of_dora(found).values())
    assert list(found.rows("ds01_user_storage_bytes_limit").values()) == [500 * GIB]


def test_a_container_past_the_platform_says_nothing_of_groups() -> None:
    lab = lab_of(UNLISTED)
    lab.lab.engine.put(
        Container(
            DORAS,
            "x._.1009",
            ContainerState.RUNNING,
            {labels.LEGACY_USER: "dora"},
            lab.lab.clock.now(),
        )
    )
    found = lab.scrape()
    assert found.value("ds01_user_containers", user="dora", group="none") == 1.0
    assert not any(limits_of_dora(found).values())


def test_whom_the_policy_names_is_in_that_group() -> None:
    lab = lab_of(POLICY.replace("[carol]", "[carol, dora]"))
    measured(lab)
    rows = lab.scrape().rows("ds01_user_gpu_slots_limit")
    assert rows == {("researcher", "dora"): 4.0}


def test_whom_the_policy_names_in_another_group_than_they_were_in_has_no_limits() -> None:
    lab = lab_of(POLICY.replace("[carol]", "[carol, dora]"))
    measured(lab)
    used(lab, "student")
    found = lab.scrape()
    assert not any(limits_of_dora(found).values())
    assert found.value("ds01_user_storage_bytes", user="dora", group="researcher") == 200 * GIB


def test_where_there_are_no_groups_everybodys_limits_are_known() -> None:
    lab = lab_of("defaults: {max_gpu_slots: 2}\n")
    measured(lab)
    assert lab.scrape().rows("ds01_user_gpu_slots_limit") == {("none", "dora"): 2.0}


def test_a_home_without_a_limit_has_none() -> None:
    lab = lab_of(UNLISTED)
    measured(lab, limit=None)
    used(lab, "researcher")
    assert lab.scrape().rows("ds01_user_storage_bytes_limit") == {}


def test_it_is_told_when_a_home_was_measured() -> None:
    lab = lab_of(UNLISTED)
    measured(lab, days=60)
    (when,) = lab.scrape().rows("ds01_user_storage_measured_timestamp_seconds").values()
    assert lab.lab.clock.now().timestamp() - when == pytest.approx(60 * 86_400, abs=5)
