"""The platform itself: its policy, its ledger, its services."""

from collections.abc import Iterator

from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View


def policy(view: View) -> Iterator[Point]:
    """Whether the policy in force is what the files say."""
    found = view.facts.policy
    if found is None:
        return  # not read in time: of the file nothing is known
    yield "ds01_policy_valid", (), float(found.valid)
    if found.loaded_at is not None:
        yield "ds01_policy_loaded_timestamp_seconds", (), found.loaded_at.timestamp()


def ledger(view: View) -> Iterator[Point]:
    """How large it is."""
    if view.facts.ledger is not None:
        yield "ds01_ledger_bytes", (), view.facts.ledger.size_bytes
    for table, count in (view.facts.rows or {}).items():
        yield "ds01_ledger_rows", (table,), count


def culler_passes(view: View) -> bool:
    """Whether the lifecycle service passes, as far as is known; then it has figures."""
    ledger = view.facts.ledger
    return ledger is None or ledger.culler_passes


def services(view: View) -> Iterator[Point]:
    """Which answer, and when they last did what they are there for."""
    facts = view.facts
    found = facts.services
    up: dict[str, bool] = {"engine": facts.containers is not None}
    if facts.ledger is not None:
        up["culler"] = facts.ledger.culler_passes
    if found is not None:
        up |= found.answers
        for service, moment in found.last_good.items():
            name = "ds01_service_last_good_pass_timestamp_seconds"
            yield name, (service,), moment.timestamp()
    for service, answers in up.items():
        yield "ds01_service_up", (service,), float(answers)
