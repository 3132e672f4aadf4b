from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder
from fakes.exporter_lab import GIB, POLICY, ExporterLab, lively_lab

HOUR = 3600 * 10**6


def test_people_have_what_they_have_against_what_they_may() -> None:
    found = lively_lab().scrape()
    carol = {"user": "carol", "group": "researcher"}
    assert found.value("ds01_user_gpu_slots", **carol) == 1.0
    assert found.value("ds01_user_gpu_slots_limit", **carol) == 4.0
    assert found.value("ds01_user_gpu_equivalents", **carol) == 1.0
    assert found.value("ds01_user_gpu_equivalents_limit", **carol) == 4.0
    assert found.value("ds01_user_containers", **carol) == 1.0
    assert found.value("ds01_user_containers_limit", **carol) == 3.0
    assert found.value("ds01_user_cpu_cores_limit", **carol) == 8.0
    assert found.value("ds01_user_memory_bytes", **carol) == 3 * GIB
    assert found.value("ds01_user_memory_bytes_limit", **carol) == 32 * GIB
    assert found.value("ds01_user_storage_bytes", **carol) == 20 * GIB
    assert found.value("ds01_user_storage_bytes_limit", **carol) == 100 * GIB
    assert found.value("ds01_user_gpu_energy_joules_total", **carol) == 720_000.0
    assert found.value("ds01_user_gpu_seconds_total", **carol, kind="busy") == 7200.0
    assert found.value("ds01_user_gpu_seconds_total", **carol, kind="held") == 18_000.0
    assert found.value("ds01_user_gpu_seconds_total", **carol, kind="measured") == 18_000.0
    assert found.value("ds01_user_gpu_measured_energy_joules_total", **carol) == 720_000.0
    assert found.value("ds01_user_gpu_co2e_grams_total", **carol) == 76.0


def test_what_no_driver_told_of_is_not_said_to_be_idle() -> None:
    lab = ExporterLab()
    holder = Holder("alice", "student", "", "hub", "1g.5gb", 1 / 7)
    held = Amount(held_microseconds=HOUR, metered_microseconds=HOUR, energy_millijoules=5_000)
    with lab.ledger.transaction() as transaction:
        transaction.book_usage(Grain.HOUR, [Booking(holder, lab.lab.clock.now(), held)])
    found = lab.scrape()
    who = {"user": "alice", "group": "student"}
    assert found.value("ds01_user_gpu_seconds_total", **who, kind="held") == 3600.0
    assert found.value("ds01_user_gpu_seconds_total", **who, kind="measured") == 0.0
    assert found.value("ds01_user_gpu_seconds_total", **who, kind="busy") is None
    assert found.value("ds01_user_gpu_energy_joules_total", **who) == 5.0
    assert found.value("ds01_user_gpu_measured_energy_joules_total", **who) is None
    assert found.value("ds01_user_gpu_co2e_grams_total", **who) is None


def test_counters_of_people_do_not_fall_with_the_books() -> None:
    lab = lively_lab()
    who = {"user": "alice", "group": "none", "kind": "held"}

    def seen_for(hours: int) -> float | None:
        with lab.ledger.transaction() as transaction:
            (interval,) = transaction.usage_of(["c"])
            seen_at = interval.started_at + timedelta(hours=hours)
            transaction.put_usage([replace(interval, seen_at=seen_at)])
        lab.seconds += 600
        lab.scrape()
        return lab.scrape().value("ds01_user_gpu_seconds_total", **who)

    assert [seen_for(hours) for hours in (2, 1, 3)] == [7200.0, 7200.0, 10_800.0]
    lab.restart()  # a new process tells what the books hold
    assert seen_for(1) == 3600.0


def test_an_edit_of_the_policy_holds_in_the_next_scrape() -> None:
    lab = lively_lab()
    carol = {"user": "carol", "group": "researcher"}
    assert lab.scrape().value("ds01_user_gpu_slots_limit", **carol) == 4.0
    lab.lab.policy.edit(POLICY.replace("max_gpu_slots: 4", "max_gpu_slots: 3"))
    assert lab.scrape().value("ds01_user_gpu_slots_limit", **carol) == 3.0


def test_a_limit_that_is_none_is_absent() -> None:
    lab = ExporterLab()
    lab.lab.policy.edit("defaults:\n  max_gpu_slots: null\n  aggregate:\n    cpus: 2\n")
    lab.lab.run("alice", "none", count=0)
    found = lab.scrape()
    who = {"user": "alice", "group": "none"}
    assert found.value("ds01_user_gpu_slots_limit", **who) is None
    assert found.value("ds01_user_memory_bytes_limit", **who) is None
    assert found.value("ds01_user_cpu_cores_limit", **who) == 2.0


def test_the_queue_is_told_by_group_with_the_oldest_wait() -> None:
    lab = lively_lab()
    found = lab.scrape()
    assert found.value("ds01_queue_length", group="student") == 1.0
    assert found.value("ds01_queue_length", group="researcher") == 0.0
    assert 600 <= (found.value("ds01_queue_oldest_age_seconds") or 0) < 601
    lab.lab.wait(60)  # nobody has asked for the place since
    found = lab.scrape()
    assert found.value("ds01_queue_length", group="student") == 0.0
    assert found.value("ds01_queue_oldest_age_seconds") == 0.0


def test_totals_of_all_time_are_read_once_a_minute() -> None:
    lab = lively_lab()
    who = {"user": "alice", "group": "none", "kind": "held"}
    before = lab.scrape().value("ds01_user_gpu_seconds_total", **who)
    with lab.ledger.transaction() as transaction:
        transaction.put_usage(
            [
                replace(each, seen_at=each.started_at + timedelta(hours=1))
                for each in transaction.usage_of(["c"])
            ]
        )
    assert lab.scrape().value("ds01_user_gpu_seconds_total", **who) == before == 0.0
    lab.seconds += 600
    assert lab.scrape().value("ds01_user_gpu_seconds_total", **who) == 3600.0


def test_services_are_up_that_answer() -> None:
    lab = lively_lab()
    found = lab.scrape()
    for service in ("hub", "gateway", "culler", "engine"):
        assert found.value("ds01_service_up", service=service) == 1.0
    assert found.value("ds01_culler_passes_total", outcome="good") == 7.0
    lab.lab.wait(400)  # the lifecycle service does not renew its lease
    assert lab.scrape().value("ds01_service_up", service="culler") == 0.0
