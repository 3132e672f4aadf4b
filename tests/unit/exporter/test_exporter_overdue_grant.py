from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.bare_metal import BareMetalGrant
from fakes.exporter_lab import ExporterLab, lively_lab

EXPIRES = "ds01_bare_metal_grant_expires_timestamp_seconds"


def change(lab: ExporterLab, **more: object) -> BareMetalGrant:
    with lab.ledger.transaction() as transaction:
        (grant,) = transaction.bare_metal_grants()
        changed = replace(grant, **more)  # type: ignore[arg-type]
        transaction.put_bare_metal_grant(changed)
    return changed


def test_a_grant_past_its_end_is_no_grant_any_more_and_is_told_of_until_it_is_taken_away() -> None:
    lab = lively_lab()
    over = change(lab, until=lab.lab.clock.now() - timedelta(hours=1))
    scraped = lab.scrape()
    assert scraped.value("ds01_bare_metal_grants") == 0
    assert scraped.value(EXPIRES, user=over.user) == over.until.timestamp()


def test_a_grant_that_was_taken_back_ends_then() -> None:
    lab = lively_lab()
    taken = lab.lab.clock.now() - timedelta(minutes=20)
    over = change(lab, revoked_at=taken, revoked_by="root")
    scraped = lab.scrape()
    assert scraped.value("ds01_bare_metal_grants") == 0
    assert scraped.value(EXPIRES, user=over.user) == taken.timestamp()
