"""`ds01 policy schema`: what editors check configuration files with."""

from enum import StrEnum
from typing import Annotated

import typer

from ds01_cli.frame import guide
from ds01_spawner.policy.json_schema import (
    render_carbon_schema,
    render_exemptions_schema,
    render_gpu_config_schema,
    render_images_schema,
    render_isolation_schema,
    render_notifications_schema,
)
from ds01_spawner.policy.schema import render_schema


class SchemaFile(StrEnum):
    """A configuration file that has a JSON Schema."""

    LIMITS = "limits"
    GPUS = "gpus"
    IMAGES = "images"
    EXEMPTIONS = "exemptions"
    NOTIFICATIONS = "notifications"
    ISOLATION = "isolation"
    CARBON = "carbon"


_SCHEMAS = {
    SchemaFile.LIMITS: render_schema,
    SchemaFile.GPUS: render_gpu_config_schema,
    SchemaFile.IMAGES: render_images_schema,
    SchemaFile.EXEMPTIONS: render_exemptions_schema,
    SchemaFile.NOTIFICATIONS: render_notifications_schema,
    SchemaFile.ISOLATION: render_isolation_schema,
    SchemaFile.CARBON: render_carbon_schema,
}


def schema(
    file: Annotated[
        SchemaFile,
        typer.Argument(
            help="limits, gpus, images, exemptions, notifications, isolation or carbon."
        ),
    ] = SchemaFile.LIMITS,
) -> None:
    """Print a configuration file's JSON Schema."""
    guide.tell("use")
    typer.echo(_SCHEMAS[file](), nl=False)
