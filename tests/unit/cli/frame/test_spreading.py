import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from ds01_cli.frame.spreading import spread


@dataclass(frozen=True, kw_only=True)
class Looks:
    colour: Annotated[str, typer.Option(help="Which.")] = "red"


@dataclass(frozen=True, kw_only=True)
class Shape(Looks):
    corners: int = 4


def paint(name: str, *, shape: Shape, twice: bool = False) -> None:
    """Paint it."""
    typer.echo(f"{name} {shape.colour} {shape.corners} {twice}")


def test_fields_are_flags_in_the_place_of_their_dataclass() -> None:
    command = spread(paint)
    assert list(inspect.signature(command).parameters) == ["name", "colour", "corners", "twice"]
    assert inspect.getdoc(command) == "Paint it."
    app = typer.Typer()
    app.command()(command)
    ran = CliRunner().invoke(app, ["door", "--colour", "blue", "--twice"])
    assert ran.stdout == "door blue 4 True\n"


def test_a_command_without_any_is_left_as_it_is() -> None:
    def plain(name: str) -> str:
        return name

    assert spread(plain) is plain
