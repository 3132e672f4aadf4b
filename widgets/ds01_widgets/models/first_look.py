"""What is done of somebody's first day, and what they may still have."""

from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words
from ds01_spawner.home import first_day, project_files, projects
from ds01_spawner.home.first_day import Step
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.recipes.catalogue import NO_USE_CASE
from ds01_spawner.recipes.first_steps import first_steps
from ds01_spawner.recipes.project import REQUIREMENTS, Project, files_of, project_name
from ds01_spawner.recipes.recipe import Recipe

WAIT = "30m"
"""So long a first container waits for a GPU, where none is free."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A first container that somebody may have.

    Attributes:
        label: What it is.
        wanted: What is asked for.
        words: What would come of it now.
    """

    label: str
    wanted: m.CreateRequest
    words: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at somebody's home and at the API found.

    Attributes:
        steps: What is done.
        user: Who asks.
        home: Their home in containers.
        hub_url: The hub in a browser; empty where it is not known.
        container: A container of theirs that runs.
        offers: What a first container may be.
        not_offered: Why it may not be more.
        page: The page of first steps.
        projects: Their projects, as they would type them.
    """

    steps: tuple[Step, ...]
    user: str = ""
    home: str = ""
    hub_url: str = ""
    container: str = ""
    offers: tuple[Offer, ...] = ()
    not_offered: tuple[str, ...] = ()
    page: str = ""
    projects: tuple[str, ...] = ()


def look(client: Client) -> Found:
    """What is done of the steps; nothing is changed.

    Raises:
        DS01Error: The API does not say.
    """
    me = client.me()
    running = first_day.running_one(me.containers)
    again = any(each.name == first_day.CONTAINER_NAME for each in me.containers)
    offers, not_offered = ((), ()) if running else offered(client, again=again)
    return Found(
        steps=(
            first_day.look_for_folders(),
            first_day.look_for_key(client),
            first_day.look_for_configured(),
            first_day.look_for_container(me.containers),
            first_day.look_for_page(),
        ),
        user=me.user,
        home=client.ssh().home,
        hub_url=me.hub_url or "",
        container=running.name if running else "",
        offers=offers,
        not_offered=not_offered,
        page=first_steps(first_day.ready(client)),
        projects=tuple(each.shown for each in projects.every()),
    )


def begun(client: Client, name: str) -> Path:
    """The folder of a project that begins as is usual; what is there stays.

    Raises:
        DS01Error: It cannot be made, or something is there already.
    """
    folder = projects.usual_folder() / project_name(name)
    project_files.check_free(folder)
    catalogue = catalogue_of(client.image_options())
    base = catalogue.frameworks[0]
    recipe = Recipe(base.key, NO_USE_CASE, requirements=(REQUIREMENTS,))
    project = Project(name, NO_USE_CASE, "" if base.gpu else "none")
    project_files.make(folder, files_of(project, recipe, catalogue))
    project_files.make_repository(folder)
    return folder


def offered(client: Client, *, again: bool) -> tuple[tuple[Offer, ...], tuple[str, ...]]:
    """What a first container may be as the policy and the GPUs are now, and why not more.

    Args:
        client: Asks the API.
        again: Whether there is a first container, stopped.

    Raises:
        DS01Error: The API does not say.
    """
    if again:
        wanted = first_day.first_container()
        return (Offer("Start it again", wanted, f"{wanted.name} is stopped."),), ()
    offers: list[Offer] = []
    reasons: list[str] = []
    for label, without_gpu in (("With one GPU slot", False), ("Without a GPU", True)):
        wanted = first_day.first_container(without_gpu=without_gpu)
        plan = client.plan(wanted)
        if plan.would_wait is not None:
            waits = wanted.model_copy(update={"wait": WAIT})
            offers.append(Offer(label, waits, place_words(plan.would_wait)))
        elif plan.refused is None:
            offers.append(Offer(label, wanted, " ".join(plan.sentences)))
        else:
            reasons.append(f"{label}: {plan.refused.detail} {plan.refused.next_step}".rstrip())
    return tuple(offers), tuple(reasons)
