"""The part of a transaction about ways in: keys, answers kept for repeated requests, grants."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ds01_spawner.adapters.ledger import tables
from ds01_spawner.adapters.ledger.rows import Rows
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.repetition import KeptAnswer
from ds01_spawner.domain.ssh_key import SshKey

_SSH_KEYS = Rows(SshKey, tables.ssh_keys, "added_at", "id")
_OF_USER = _SSH_KEYS.every.where(tables.ssh_keys.c.user == sa.bindparam("whose"))
_ANSWERS = Rows(KeptAnswer, tables.kept_answers, "began_at", "key")
_ANSWERS_OF = _ANSWERS.every.where(tables.kept_answers.c.user == sa.bindparam("whose"))
_GRANTS = Rows(BareMetalGrant, tables.bare_metal_grants, "granted_at", "user")
_FORGET_ANSWERS = sa.delete(tables.kept_answers).where(
    tables.kept_answers.c.began_at
    < sa.bindparam("moment", type_=tables.kept_answers.c.began_at.type)
)


class AccessPart:
    """SSH keys, kept answers, and access to the GPUs outside of containers."""

    _connection: sa.Connection

    def ssh_keys(self, user: str) -> Sequence[SshKey]:
        """A person's keys, oldest first."""
        return _SSH_KEYS.read(self._connection, _OF_USER, {"whose": user})

    def put_ssh_key(self, key: SshKey) -> None:
        """Add a key or replace the person's with its id."""
        _SSH_KEYS.put(self._connection, [key])

    def remove_ssh_key(self, user: str, key_id: str) -> None:
        """Forget a key of a person's; an unknown one is ignored."""
        _SSH_KEYS.remove(self._connection, [(user, key_id)])

    def kept_answers(self, user: str) -> Sequence[KeptAnswer]:
        """What a person's requests were answered, oldest first."""
        return _ANSWERS.read(self._connection, _ANSWERS_OF, {"whose": user})

    def put_kept_answer(self, answer: KeptAnswer) -> None:
        """Add an answer or replace the one of the same person and key."""
        _ANSWERS.put(self._connection, [answer])

    def remove_kept_answer(self, user: str, key: str) -> None:
        """Forget an answer; an unknown one is ignored."""
        _ANSWERS.remove(self._connection, [(user, key)])

    def remove_kept_answers_before(self, moment: datetime) -> None:
        """Forget older answers of everybody's."""
        self._connection.execute(_FORGET_ANSWERS, {"moment": moment})

    def bare_metal_grants(self) -> Sequence[BareMetalGrant]:
        """Every grant that is kept, the oldest first; one that has ended is until that is done."""
        return _GRANTS.read(self._connection)

    def put_bare_metal_grant(self, grant: BareMetalGrant) -> None:
        """Add a grant or replace the person's."""
        _GRANTS.put(self._connection, [grant])

    def remove_bare_metal_grant(self, user: str) -> None:
        """Forget a person's grant; nothing happens where there is none."""
        _GRANTS.remove(self._connection, [(user,)])
