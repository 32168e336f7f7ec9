"""The JSON Schema of profiles, beside them: each profile's first line points editors to it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import PrismError
from prismctl.files.profiles import change_shape, list_profiles, profile_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.servers.server import Server
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import Home

SCHEMA_FILE_NAME: Final = "profile.schema.json"
MODELINE: Final = f"# yaml-language-server: $schema=./{SCHEMA_FILE_NAME}"


def profile_schema() -> dict[str, Any]:
    """The JSON Schema of profiles; of a packaged service it knows the keys of its own server only."""
    from prismctl.domain.catalog_keys import SCHEMA_DIALECT
    from prismctl.domain.packaged import PACKAGED
    from prismctl.domain.servers.registry import find_server
    from prismctl.domain.service import SHORT_NAMES

    shape = profile_shape()
    words: dict[str, ServiceName] = {name: name for name in PACKAGED} | SHORT_NAMES
    common = change_shape({}).schema()["properties"]
    config = dict(shape.keys["config"].shape.schema())
    ((pattern, others),) = config["patternProperties"].items()
    # Of a service that it does not know, every server's keys are possible; of one that it knows, only its own.
    unknown = f"^(?!({'|'.join(words)})$){pattern.removeprefix('^')}"
    config["patternProperties"] = {unknown: _refer(others, common)}
    config["properties"] = {
        word: {
            "description": PACKAGED[name].description,
            **_change_schema(find_server(PACKAGED[name].driver), common),
        }
        for word, name in words.items()
    }
    schema = shape.schema()
    schema["properties"]["config"]["anyOf"][0] = config
    services = schema["properties"]["services"]["anyOf"][0]
    # Completed by editors, and not the only ones there can be.
    services["items"] = {"anyOf": [{"enum": list(words)}, services["items"]]}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "A selection of services that prismctl can start",
        **schema,
        "$defs": common,
    }


def _change_schema(server: Server | None, common: Mapping[str, Any]) -> dict[str, Any]:
    """What can be changed about one service; its server's own keys with what holds without them."""
    settings = {
        key: replace(each, meaning=f"{each.meaning} ({each.default})")
        for key, each in (server.settings if server else {}).items()
    }
    schema = change_shape(settings).schema()
    for key, setting in settings.items():
        schema["properties"][key]["anyOf"] = [setting.shape.schema(), {"type": "null"}]
    return _refer(schema, common)


def _refer(schema: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one service, with what is the same for all of them written once."""
    properties = {
        key: {"$ref": f"#/$defs/{key}"} if each == common.get(key) else each
        for key, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def save_profile_schema(home: Home) -> None:
    """Write the schema that this version of prismctl validates with, unless it is there already.

    Raises:
        PrismError: home cannot be written.
    """
    from prismctl.files.atomic import write_atomically

    path = home.profiles / SCHEMA_FILE_NAME
    text = json.dumps(profile_schema(), indent=2) + "\n"
    try:
        is_there = path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        write_atomically(path, text)


def ensure_profile_schema(home: Home) -> None:
    """Write the schema where there are profiles and it is not: one that was copied there names it as well.

    A home that cannot be written goes without; an editor then completes nothing.
    """
    if (home.profiles / SCHEMA_FILE_NAME).exists() or not list_profiles(home):
        return
    with contextlib.suppress(PrismError):
        save_profile_schema(home)
