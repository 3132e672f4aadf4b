"""Access to the GPUs outside of containers: granted for a time, and taken back when that is over.

A grant is in the audit log and the ledger before a node is opened. An end is the other way round:
first the nodes are closed, then it is written down, then the grant is forgotten. So whatever is
interrupted, the next pass of the lifecycle service goes on with it, and access never outlives its
grant for want of a log.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from ds01_spawner.domain.bare_metal import BareMetalGrant, NodeHolder, ended, ending, granted
from ds01_spawner.domain.errors import (
    DS01Error,
    Forbidden,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.wording import clean, length
from ds01_spawner.domain.work import PassMark
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.doors.bare_metal_rules import (
    Overview,
    Standing,
    account_to_grant,
    stop_of_rest,
)
from ds01_spawner.ports import (
    Accounts,
    Channels,
    Clock,
    Ledger,
    LedgerTransaction,
    PolicySource,
)
from ds01_spawner.ports.bare_metal import GpuNodes
from ds01_spawner.ports.ledger import LedgerReader

LEASE = "bare-metal"
LEASE_SECONDS = 30.0
"""So long after its last pass a service counts as there."""

LONGEST_REASON = 200
_RETOLD_AFTER = timedelta(hours=1)


class BareMetal:
    """Grants access, and takes it back. For one thread at a time.

    Args:
        clock: The time.
        policy: Who may be granted it, and for how long.
        accounts: People's user ids.
        ledger: Where grants are.
        reader: The same, for those who only look.
        nodes: The device nodes.
        channels: Ways to people; no terminal of a container is one, so that no engine is needed.
        audit: Where every change is written.
        zone: People are told the time there.
        holder: Names this process, where it makes passes.
        is_main: Whether this installation stops what is past the platform.
    """

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        accounts: Accounts,
        ledger: Ledger,
        reader: LedgerReader,
        nodes: GpuNodes,
        channels: Channels,
        audit: Audit,
        zone: tzinfo,
        holder: str,
        is_main: bool,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._accounts = accounts
        self._ledger = ledger
        self._reader = reader
        self._nodes = nodes
        self._channels = channels
        self._audit = audit
        self._zone = zone
        self._holder = holder
        self._is_main = is_main
        self._told: dict[tuple[str, tuple[str, ...]], float] = {}
        self._ends_told: set[tuple[str, datetime]] = set()

    def grant(self, user: str, duration: timedelta, reason: str, by: str) -> BareMetalGrant:
        """Let somebody use the GPUs outside of containers; in place of a grant that they have.

        Args:
            user: Who.
            duration: From now on.
            reason: Why.
            by: Who grants it.

        Raises:
            NotFound: There is no such account, or no GPU node that a group may open.
            InvalidRequest: There is no reason, or no time.
            QuotaExceeded: The policy allows no such length.
            Forbidden: The policy or the account does not allow it.
            Unavailable: Nothing would end it, or it could not be written down; or the nodes could
                not be opened, and then the service goes on trying.
        """
        told = clean(reason.strip(), LONGEST_REASON)
        account = account_to_grant(user, duration, told, self._policy.current(), self._accounts)
        nodes = self._nodes.paths()
        if not nodes and not self._nodes.driver_is_here():
            raise NotFound(
                "This server has no NVIDIA driver (its GPUs are simulated), so there is nothing to"
                " open."
            )
        if not nodes:
            raise NotFound(
                "There is no GPU device node that a group may open.",
                "ls -l /dev/nvidia*; docs/bare-metal.md says how they should be.",
            )
        mark = self._clock.mark()
        grant = BareMetalGrant(
            user=account.name,
            uid=account.uid,
            reason=told,
            granted_by=by,
            granted_at=mark.wall,
            until=mark.wall + duration,
            boot_id=mark.boot_id,
            uptime_seconds=mark.uptime_seconds,
        )
        with self._ledger.transaction() as transaction:
            if transaction.lease_holder(LEASE, mark) is None:
                raise Unavailable(
                    "The lifecycle service does not run, so nothing would end the grant.",
                    "Start it: systemctl start ds01-culler",
                )
            before = {each.user: each for each in transaction.bare_metal_grants()}.get(user)
            transaction.put_bare_metal_grant(grant)
            self._post(transaction, granted(grant, self._moment(mark)))
            details: dict[str, object] = {
                "until": format_timestamp(grant.until),
                "seconds": round(duration.total_seconds()),
                "nodes": list(nodes),
            }
            if before is not None:
                details["replaces_until"] = format_timestamp(before.until)
            self._write("bare_metal.grant", grant, grant.reason, details, by=by)
        if before is not None and before.uid != grant.uid:
            self._nodes.take_back(before.uid)
        self._open(grant)
        return grant

    def revoke(self, user: str, by: str) -> tuple[BareMetalGrant, tuple[NodeHolder, ...]]:
        """Take access back now; the grant, and processes that still have a GPU open.

        Raises:
            NotFound: The person has no grant.
            Unavailable: It could not be done; the service goes on trying.
        """
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            known = {each.user: each for each in transaction.bare_metal_grants()}.get(user)
            if known is None:
                raise NotFound(
                    f"{clean(user)} has no grant.", "ds01 admin bare-metal list shows who has one."
                )
            taken = replace(known, revoked_at=now, revoked_by=by)
            transaction.put_bare_metal_grant(taken)
        return taken, self._end(taken)

    def overview(self) -> Overview:
        """Who may use the GPUs outside of containers now.

        Raises:
            Unavailable: Ledger or nodes cannot be read.
        """
        grants, mark = self._grants(), self._clock.mark()
        given = self._nodes.given()
        known = {each.uid for each in grants}
        return Overview(
            standings=tuple(
                Standing(each, each.is_over(mark), given.get(each.uid, ())) for each in grants
            ),
            strays={uid: paths for uid, paths in given.items() if uid not in known},
            nodes=self._nodes.paths(),
            everybodys=self._nodes.open_to_all(),
        )

    def granted_people(self) -> frozenset[str]:
        """Who has a grant that has not ended.

        Raises:
            Unavailable: The ledger cannot be read.
        """
        mark = self._clock.mark()
        return frozenset(each.user for each in self._grants() if not each.is_over(mark))

    def granted_ids(self) -> frozenset[int]:
        """Their user ids, as the nodes know them.

        Raises:
            Unavailable: The ledger cannot be read.
        """
        mark = self._clock.mark()
        return frozenset(each.uid for each in self._grants() if not each.is_over(mark))

    def keep(self) -> tuple[str, ...]:
        """One pass: end what is over, warn, open nodes that came back; what did not work.

        Of several services one does it.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        mark = self._clock.mark()
        with self._ledger.transaction() as transaction:
            if not transaction.take_lease(LEASE, self._holder, mark, LEASE_SECONDS):
                return ()
            grants = transaction.bare_metal_grants()
        notes = []
        for grant in grants:
            try:
                self._keep(grant, mark)
            except DS01Error as exc:
                notes.append(f"Access of {grant.user} to the GPUs outside of containers: {exc}")
        return tuple(notes)

    def end(self) -> None:
        """This process makes no more passes: another one may at once.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        with self._ledger.transaction() as transaction:
            transaction.end_lease(LEASE, self._holder)

    def _keep(self, grant: BareMetalGrant, mark: PassMark) -> None:
        if grant.is_over(mark):
            self._end(grant)
        elif self._is_gone(grant):
            self._end(replace(grant, revoked_at=mark.wall))
        else:
            self._uphold(grant)
            self._warn(grant, mark)

    def _is_gone(self, grant: BareMetalGrant) -> bool:
        """Whether the account was closed, removed, or made anew for somebody else."""
        try:
            account = self._accounts.lookup(grant.user)
        except Forbidden:
            return True
        return account is None or account.uid != grant.uid

    def _end(self, grant: BareMetalGrant) -> tuple[NodeHolder, ...]:
        self._nodes.take_back(grant.uid)
        holders = self._nodes.holders(grant.uid)
        action, reason = "bare_metal.expire", f"It was granted for {length(grant.duration)}."
        if grant.revoked_by:
            action, reason = "bare_metal.revoke", "It was taken back."
        elif grant.revoked_at is not None:
            action, reason = "bare_metal.revoke", "The account is closed, or another one."
        key = grant.user, grant.granted_at
        if key not in self._ends_told:  # else the ledger could not be changed then
            pids = [each.pid for each in holders]
            details = {"granted_by": grant.granted_by, "still_open": pids}
            self._write(action, grant, reason, details, by=grant.revoked_by)
            self._ends_told.add(key)
        notice = ended(
            grant,
            holders,
            stop_of_rest(self._policy, is_main=self._is_main),
            self._moment(self._clock.mark()),
        )
        with self._ledger.transaction() as transaction:
            kept = {each.user: each for each in transaction.bare_metal_grants()}.get(grant.user)
            if kept is not None and kept.granted_at == grant.granted_at:
                transaction.remove_bare_metal_grant(grant.user)
                self._post(transaction, notice)
        self._ends_told.discard(key)
        return holders

    def _uphold(self, grant: BareMetalGrant) -> None:
        """Open what came anew: the MIG layout was changed, or the machine started."""
        opened = self._give(grant)
        if not opened:
            return
        now, key = self._clock.mark().uptime_seconds, (grant.user, opened)
        last = self._told.get(key)
        if last is None or now - last >= _RETOLD_AFTER.total_seconds():
            self._told[key] = now
            details: dict[str, object] = {"nodes": list(opened)}
            self._write("bare_metal.reopen", grant, "They were not open.", details)

    def _give(self, grant: BareMetalGrant) -> tuple[str, ...]:
        """Open what is not open; what somebody took back in this moment is closed again."""
        opened = self._nodes.give(grant.uid)
        if opened and not any(
            (each.uid, each.granted_at, each.revoked_at) == (grant.uid, grant.granted_at, None)
            for each in self._grants()
        ):
            self._nodes.take_back(grant.uid)
            return ()
        return opened

    def _warn(self, grant: BareMetalGrant, mark: PassMark) -> None:
        if not grant.is_warning_due(mark):
            return
        with self._ledger.transaction() as transaction:
            if grant not in transaction.bare_metal_grants():
                return  # it was just replaced
            transaction.put_bare_metal_grant(replace(grant, warned_at=mark.wall))
            self._post(transaction, ending(grant, self._moment(mark)))
            details: dict[str, object] = {"until": format_timestamp(grant.until)}
            self._write("bare_metal.warn", grant, "It ends soon.", details)

    def _post(self, transaction: LedgerTransaction, notice: Notice) -> None:
        transaction.put_notice(notice, self._channels.names(notice.kind))

    def _open(self, grant: BareMetalGrant) -> None:
        try:
            self._give(grant)
        except Unavailable as exc:
            raise Unavailable(
                f"The grant is written down, and not every node is open: {exc}",
                "The lifecycle service goes on trying. To take it back: "
                f"ds01 admin bare-metal revoke {grant.user}",
            ) from exc

    def _grants(self) -> tuple[BareMetalGrant, ...]:
        with self._reader.reading() as transaction:
            return tuple(transaction.bare_metal_grants())

    def _moment(self, mark: PassMark) -> Moment:
        return Moment(mark.wall, self._zone)

    def _write(
        self,
        action: str,
        grant: BareMetalGrant,
        reason: str,
        details: Mapping[str, object],
        *,
        by: str = "",
    ) -> None:
        self._audit.write(
            action,
            user=grant.user,
            resource="gpus",
            interface=Interface.CLI.value if by else SERVICE,
            reason=reason,
            details={"uid": grant.uid, **({"by": by} if by else {}), **details},
        )
