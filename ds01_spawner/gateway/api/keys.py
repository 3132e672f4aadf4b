"""Somebody's SSH public keys: each opens their containers, and nothing else."""

from collections.abc import Mapping

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Conflict, InvalidRequest, NotFound
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.ssh_key import SshKey, parse_public_key
from ds01_spawner.gateway.api.ask import Answer, Api, Ask

MOST_KEYS = 20


class Keys:
    """Answers about keys: always one's own."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listSshKeys": self.every, "addSshKey": self.add, "removeSshKey": self.remove}

    async def every(self, ask: Ask) -> m.SshKeys:
        """One's keys."""

        def read(platform: Platform) -> m.SshKeys:
            with platform.ledger.transaction() as transaction:
                found = transaction.ssh_keys(ask.requester.user)
            return m.SshKeys(keys=tuple(map(_view, found)))

        return await ask.run(self._api, read)

    async def add(self, ask: Ask) -> m.SshKey:
        """Keep a key, if it is new and its owner has room."""
        text, user = ask.sent(m.SshKeyRequest).key, ask.requester.user

        def add(platform: Platform) -> m.SshKey:
            key = parse_public_key(text, user, platform.clock.now())
            with platform.ledger.transaction() as transaction:
                known = transaction.ssh_keys(user)
                if any(each.id == key.id for each in known):
                    raise Conflict(f"You have the key {key.fingerprint} already.")
                if len(known) >= MOST_KEYS:
                    raise InvalidRequest(f"You have {len(known)} keys.", "Remove one first.")
                transaction.put_ssh_key(key)
                # Inside the transaction: a key that cannot be audited opens nothing.
                _record(platform, "ssh_key.add", key)
            return _view(key)

        return await ask.run(self._api, add)

    async def remove(self, ask: Ask) -> m.Removed:
        """Remove one, by its id or its fingerprint."""
        wanted, user = ask.parts["key"], ask.requester.user

        def remove(platform: Platform) -> m.Removed:
            with platform.ledger.transaction() as transaction:
                found = [
                    each
                    for each in transaction.ssh_keys(user)
                    if wanted in {each.id, each.fingerprint}
                ]
                if not found:
                    raise NotFound("You have no such key.", "See: GET /ssh-keys.")
                transaction.remove_ssh_key(user, found[0].id)
                _record(platform, "ssh_key.remove", found[0])
            return m.Removed(name=found[0].fingerprint)

        return await ask.run(self._api, remove)


def _view(key: SshKey) -> m.SshKey:
    return m.SshKey(
        id=key.id,
        fingerprint=key.fingerprint,
        type=key.type,
        bits=key.bits,
        comment=key.comment,
        key=key.line,
        added_at=key.added_at,
    )


def _record(platform: Platform, action: str, key: SshKey) -> None:
    platform.audit.write(
        action,
        user=key.user,
        resource=key.fingerprint,
        interface=Interface.API.value,
        details={"type": key.type, "comment": key.comment},
    )
