"""`ds01 admin lifecycle`: what would happen to whom, when, and why."""

import json
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console

from ds01_cli.admin.administrator import open_to_administrator
from ds01_cli.admin.explanation import due_now, explained, left_alone
from ds01_cli.admin.forecast import print_forecast
from ds01_cli.frame import guide
from ds01_spawner.composition import SERVICE_FILE, Platform, open_hub
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.domain.lifecycle import Decision
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.wording import length, span
from ds01_spawner.domain.work import LONGEST_GAP
from ds01_spawner.operations.lifecycle.dry_look import DryLook, LastPass, dry_look
from ds01_spawner.operations.lifecycle.outlook import Forecast
from ds01_spawner.operations.lifecycle.outlook_text import container_facts

LOOK_SECONDS = 3.0
"""Between two looks: rates need both."""

_WIDTH = 80


def lifecycle(
    *,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Accepted, and of no effect: looking never changes a thing."
        ),
    ] = False,
    explain: Annotated[
        str, typer.Option("--explain", metavar="NAME", help="Everything about one container.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what would be stopped or removed, when, and why.

    It only looks: twice, three seconds apart.
    """
    del dry_run
    platform = open_to_administrator()
    guide.tell("look")
    found, notes = _looked(platform)
    moment = Moment(found.plan.mark.wall, platform.zone)
    decisions = [each for each in found.plan.decisions if not explain or _is_called(each, explain)]
    if as_json:
        _check_found(found, decisions, explain)
        typer.echo(json.dumps(_facts(found, decisions, notes), indent=2, ensure_ascii=False))
        return
    typer.echo(last_pass_words(found.last_pass), err=True)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if not explain:
        _print(found, moment)
    elif decisions:
        typer.echo("\n\n".join(explained(found.plan, each, moment) for each in decisions))
    else:
        typer.echo("\n".join(_others(found, explain)))


def _looked(platform: Platform) -> tuple[DryLook, list[str]]:
    """What was found, and sentences on what could not be seen."""
    hub = open_hub(platform.directories)
    found = dry_look(
        platform.lifecycle(hub),
        platform.ledger,
        platform.clock,
        lambda: time.sleep(LOOK_SECONDS),
        hub_asked=hub is not None,
    )
    notes = list(found.plan.troubles.values())
    if hub is None and _misses_the_hub(found):
        notes.append(_without_hub(platform))
    return found, notes


def last_pass_words(last: LastPass) -> str:
    """When the service last passed, and who it is."""
    if last.age is None:
        return "No pass has been made yet: is ds01-culler running?"
    ago = length(last.age)
    if last.holder is not None:
        return f"Last pass {ago} ago, by {last.holder}."
    if last.age <= LONGEST_GAP:
        return f"Last pass {ago} ago; no service makes passes now: is ds01-culler running?"
    return f"No pass for {span(last.age)}: is ds01-culler running?"


def _print(found: DryLook, moment: Moment) -> None:
    forecast = Forecast(moment.now, tuple(found.views.values()))
    due = {each.subject.container.id: due_now(each) for each in found.plan.decisions}
    print_forecast(
        Console(width=max(_WIDTH, Console().width)),
        forecast,
        moment,
        owners=True,
        due={key: words for key, words in due.items() if words},
    )


def _misses_the_hub(found: DryLook) -> bool:
    """Whether open tabs would count for some container."""
    return any(
        each.subject.policies.active_when_connected
        and each.subject.container.state.is_live
        and labels.origin_of(each.subject.container.labels) is Interface.HUB
        for each in found.plan.decisions
    )


def _without_hub(platform: Platform) -> str:
    file = platform.directories.config / SERVICE_FILE
    return (
        "The hub is not asked, so open tabs are not known (active_when_connected); what the"
        " service remembers decides. Set JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN, here or"
        f" in {file}."
    )


def _is_called(decision: Decision, text: str) -> bool:
    return _has_name(decision.subject.container, text)


def _has_name(container: Container, text: str) -> bool:
    names = {container.name, labels.name_of(container.labels, container.name)}
    return text in names or container.id.startswith(text)


def _others(found: DryLook, name: str) -> Iterable[str]:
    """Why nothing is decided about the containers of this name."""
    others = [each for each in found.plan.containers if _has_name(each, name)]
    if not others:
        raise NotFound(f"No container is called {name}.", "ds01 admin lifecycle lists them.")
    return map(left_alone, others)


def _check_found(found: DryLook, decisions: list[Decision], name: str) -> None:
    if name and not decisions:
        raise NotFound(" ".join(_others(found, name)))


def _facts(found: DryLook, decisions: list[Decision], notes: list[str]) -> dict[str, object]:
    last = found.last_pass
    return {
        "taken_at": format_timestamp(found.plan.mark.wall),
        "last_pass_seconds_ago": None if last.age is None else round(last.age.total_seconds(), 3),
        "service": last.holder,
        "notes": notes,
        "containers": [
            {
                **container_facts(found.views[each.subject.container.id]),
                "idle_since": None
                if each.subject.track.idle_since is None
                else format_timestamp(each.subject.track.idle_since),
                "signals": [
                    {
                        "signal": finding.signal.value,
                        "verdict": finding.verdict.value,
                        "detail": finding.detail,
                    }
                    for finding in each.subject.findings
                ],
                "due": [due.deed.value for due in each.due]
                + (["remove"] if each.removal is not None else []),
            }
            for each in decisions
        ],
    }
