"""What every `Ledger` does with keys and kept answers, the fake and the real one."""

from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.repetition import KeptAnswer
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.ports import Ledger
from fakes.clock import EPOCH

KEY = SshKey("Jürgen@x.org", "abc", "ssh-rsa", "AAAA", "mein Schlüssel", EPOCH, 3072)
ANSWER = KeptAnswer("山田", "k1", "d1", EPOCH, 201, '{"ok": "ä"}')

GRANT = BareMetalGrant(
    *("alice", 1001, "a paper", "root", EPOCH, EPOCH + timedelta(hours=8)),
    boot_id="b",
    uptime_seconds=17.5,
)


class AccessLedgerContract:
    """Inherit, and give the fixture `ledger`."""

    def test_keys_are_read_back_exactly_and_only_for_their_owner(self, ledger: Ledger) -> None:
        other = replace(KEY, user="alice", bits=None)
        with ledger.transaction() as transaction:
            assert list(transaction.ssh_keys(KEY.user)) == []
            transaction.put_ssh_key(KEY)
            transaction.put_ssh_key(other)
        with ledger.transaction() as transaction:
            assert list(transaction.ssh_keys(KEY.user)) == [KEY]
            transaction.remove_ssh_key(KEY.user, KEY.id)
            transaction.remove_ssh_key("alice", "unknown")
        with ledger.transaction() as transaction:
            assert list(transaction.ssh_keys(KEY.user)) == []
            assert list(transaction.ssh_keys("alice")) == [other]

    def test_keys_come_by_age_and_the_same_key_is_replaced(self, ledger: Ledger) -> None:
        newer = replace(KEY, id="aaa", added_at=EPOCH + timedelta(seconds=1))
        renamed = replace(KEY, comment="new")
        with ledger.transaction() as transaction:
            for each in (newer, KEY, renamed):
                transaction.put_ssh_key(each)
            assert list(transaction.ssh_keys(KEY.user)) == [renamed, newer]

    def test_answers_are_kept_for_who_asked_until_they_are_too_old(self, ledger: Ledger) -> None:
        begun = replace(ANSWER, key="k2", status=0, body="", began_at=EPOCH + timedelta(hours=1))
        with ledger.transaction() as transaction:
            transaction.put_kept_answer(replace(ANSWER, status=0, body=""))
            transaction.put_kept_answer(ANSWER)
            transaction.put_kept_answer(begun)
            transaction.put_kept_answer(replace(ANSWER, user="alice"))
        with ledger.transaction() as transaction:
            assert list(transaction.kept_answers(ANSWER.user)) == [ANSWER, begun]
            transaction.remove_kept_answers_before(EPOCH + timedelta(hours=1))
        with ledger.transaction() as transaction:
            assert list(transaction.kept_answers(ANSWER.user)) == [begun]
            assert list(transaction.kept_answers("alice")) == []
            transaction.remove_kept_answer(ANSWER.user, "k2")
            transaction.remove_kept_answer(ANSWER.user, "k2")
            assert list(transaction.kept_answers(ANSWER.user)) == []

    def test_a_person_has_one_grant_and_it_is_read_back_exactly(self, ledger: Ledger) -> None:
        over = replace(GRANT, warned_at=EPOCH, revoked_at=EPOCH, revoked_by="root")
        first = replace(GRANT, user="bob", granted_at=EPOCH - timedelta(hours=1))
        with ledger.transaction() as transaction:
            assert list(transaction.bare_metal_grants()) == []
            for each in (GRANT, over, first):
                transaction.put_bare_metal_grant(each)
        with ledger.transaction() as transaction:
            assert list(transaction.bare_metal_grants()) == [first, over]
            transaction.remove_bare_metal_grant("alice")
            transaction.remove_bare_metal_grant("alice")
        with ledger.transaction() as transaction:
            assert list(transaction.bare_metal_grants()) == [first]
