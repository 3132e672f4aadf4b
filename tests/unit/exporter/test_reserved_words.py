"""A login or a group that is a word of the exporter is not mixed with what that stands for."""

import pytest

from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import check_user
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from ds01_spawner.domain.usage_unmanaged import NOBODY
from ds01_spawner.exporter import cap
from ds01_spawner.exporter.words import OTHER, UNKNOWN, group_label, user_label
from fakes.exporter_lab import GIB, POLICY, ExporterLab, lively_lab
from fakes.policy import FakePolicy

RESERVED = (OTHER, UNKNOWN)
GROUPS = POLICY.replace("members: [alice, bob]", "members: [alice, bob, other, unknown]")


def lab_of_reserved_names() -> ExporterLab:
    """Each of them with a home, a grant and GPU time of their own."""
    lab = ExporterLab()
    lab.lab.policy = FakePolicy(GROUPS)
    lab.policy.inner = lab.lab.policy
    now = lab.lab.clock.now()
    with lab.ledger.transaction() as transaction:
        for user in RESERVED:
            transaction.put_storage(StorageUse(user, 7 * GIB, now, "quota", limit_bytes=9 * GIB))
    return lab


@pytest.mark.parametrize("user", RESERVED)
def test_a_login_that_is_a_reserved_word_has_rows_of_its_own(user: str) -> None:
    found = lab_of_reserved_names().scrape()
    who = {"user": f"user/{user}", "group": "student"}
    assert found.value("ds01_user_storage_bytes", **who) == 7 * GIB
    assert found.value("ds01_user_storage_bytes_limit", **who) == 9 * GIB
    assert found.value("ds01_user_gpu_slots_limit", **who) == 2.0
    assert f'user="{user}"' not in found.text


def test_no_name_of_a_person_can_be_what_a_reserved_login_is_called() -> None:
    for user in RESERVED:
        with pytest.raises(InvalidRequest):
            check_user(user_label(user))
    assert user_label("alice") == "alice"
    assert [group_label(name) for name in ("", "none", "student")] == [
        "none",
        "group/none",
        "student",
    ]


def test_beyond_the_cap_a_login_that_is_a_reserved_word_is_summed_as_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = lab_of_reserved_names()
    monkeypatch.setattr(cap.capped, "__defaults__", (1,))
    found = lab.scrape()
    rows = found.rows("ds01_user_storage_bytes")
    assert rows == {("student", "user/other"): 7 * GIB, ("other", "other"): 7 * GIB}


def test_processes_of_such_a_login_are_not_unattributed() -> None:
    lab = lively_lab()
    lab.accounts.people[UNKNOWN] = UnixAccount(UNKNOWN, 1500, 1500, "/home/unknown")
    lab.table.put(77, uid=1500)
    lab.busy("1:3", 0.5, GpuProcess(77, "", memory_bytes=GIB))
    found = lab.scrape()
    assert found.value("ds01_gpu_processes", slot="1:3", kind="host", user="user/unknown") == 1.0


def test_what_the_books_have_of_nobody_stays_nobodys() -> None:
    lab = lab_of_reserved_names()
    nobody = Holder(NOBODY, "", "", "unmanaged-docker", "full", 1.0)
    person = Holder(OTHER, "student", "", "hub", "full", 1.0)
    with lab.ledger.transaction() as transaction:
        for holder in (nobody, person):
            booked = Booking(holder, lab.lab.clock.now(), Amount(held_microseconds=5_000_000))
            transaction.book_usage(Grain.HOUR, [booked])
    found = lab.scrape()
    name = "ds01_user_gpu_seconds_total"
    assert found.value(name, user="unknown", group="none", kind="held") == 5.0
    assert found.value(name, user="user/other", group="student", kind="held") == 5.0
    assert found.value("ds01_user_gpu_slots", user="unknown", group="none") is None


def test_grants_and_groups_of_such_names_are_told_apart() -> None:
    lab = ExporterLab()
    lab.lab.policy = FakePolicy(POLICY.replace("researcher:", "other:"))
    lab.policy.inner = lab.lab.policy
    now = lab.lab.clock.now()
    with lab.ledger.transaction() as transaction:
        transaction.put_ticket(
            Ticket("t", "carol", "c", GpuRequest.parse("mig"), 60, now, now, groups=("other",))
        )
        transaction.put_bare_metal_grant(
            BareMetalGrant("other", 1500, "why", "root", now, now, "boot-1", 1.0)
        )
    found = lab.scrape()
    assert found.value("ds01_queue_length", group="group/other") == 1.0
    assert found.value("ds01_gpu_equivalents_allocated", group="group/other") == 0.0
    assert found.value("ds01_gpu_equivalents_allocated", group="other") is None
    grants = found.rows("ds01_bare_metal_grant_expires_timestamp_seconds")
    assert list(grants) == [("user/other",)]
