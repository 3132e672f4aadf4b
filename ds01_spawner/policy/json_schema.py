"""JSON Schemas of the smaller configuration files, for completion and checking in an editor."""

import json
from typing import Any

from pydantic import BaseModel

from ds01_spawner.policy.carbon import CarbonConfig
from ds01_spawner.policy.exemptions import ExemptionsDocument
from ds01_spawner.policy.gpu_config import GpuConfig
from ds01_spawner.policy.images import ImageCatalogue
from ds01_spawner.policy.isolation import IsolationConfig
from ds01_spawner.policy.notifications import NotificationsDocument


def render_gpu_config_schema() -> str:
    """The text of `gpu-config.schema.json`."""
    return _render(GpuConfig, "DS01 GPUs")


def render_images_schema() -> str:
    """The text of `images.schema.json`."""
    return _render(ImageCatalogue, "DS01 images")


def render_carbon_schema() -> str:
    """The text of `carbon.schema.json`."""
    return _render(CarbonConfig, "DS01 carbon")


def render_exemptions_schema() -> str:
    """The text of `lifecycle-exemptions.schema.json`."""
    return _render(ExemptionsDocument, "DS01 lifecycle exemptions")


def render_isolation_schema() -> str:
    """The text of `isolation.schema.json`."""
    return _render(IsolationConfig, "DS01 isolation")


def render_notifications_schema() -> str:
    """The text of `notifications.schema.json`."""
    return _render(NotificationsDocument, "DS01 notifications")


def _render(model: type[BaseModel], title: str) -> str:
    schema: dict[str, Any] = model.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = title
    for definition in (schema, *schema.get("$defs", {}).values()):
        for each in definition.get("properties", {}).values():
            each.pop("title", None)
    return json.dumps(dict(sorted(schema.items())), indent=2, ensure_ascii=False) + "\n"
