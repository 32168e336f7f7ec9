"""Settings of a person (``config.yaml``): read once, validated like everything that people write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prismctl.domain.containers import DOCKER, PODMAN
from prismctl.domain.plan import ENGINES, FailurePolicy
from prismctl.domain.problems import NOWHERE, Place
from prismctl.domain.service import Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.document import Document
    from prismctl.domain.shape import Fields
    from prismctl.files.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person prefers; the defaults are those of somebody who has no settings."""

    engine: str = "auto"
    runtime: Runtime | None = None
    """Container or native, where a service offers both; ``None``: decided by what is there."""
    containers: str = "auto"
    """What runs containers: ``podman``, ``docker``, or ``auto``: Podman where it works."""
    auto_ports: bool = False
    """A port that is taken is replaced by a free one."""
    persist: bool = False
    """Data stays from one start to the next."""
    on_failure: FailurePolicy = FailurePolicy.KEEP
    wait_timeout_seconds: float | None = None
    """How long a start waits until all is healthy; ``None``: as long as the flag's default says."""
    warm: bool = True
    """The engine's agents come up while somebody chooses what to run on them."""
    dashboard_port: int = 3000
    """Where the web dashboard is tried first."""
    max_log_bytes: int | None = None
    """A service's log is rotated at this size; ``None``: the keeper's own bound."""
    release_url: str = ""
    """Mirror that `init` fetches Nomad and Consul from; empty for the vendor's own server."""
    release_key: str = ""
    """File with the public key of a mirror that signs its own builds; empty for the vendor's key."""
    theme: str = ""
    """Of the terminal dashboard."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys of the terminal dashboard, by the name of the action."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each setting that somebody made is written, by its key in the file."""

    def place(self, key: str) -> Place:
        """Where a setting is written; nowhere, for one that is a default."""
        return self.places.get(key, NOWHERE)


CONTAINER_TOOLS = ("auto", PODMAN, DOCKER)
RUNTIMES = ("auto", Runtime.CONTAINER.value, Runtime.NATIVE.value)


def load_settings(home: Home) -> Settings:
    """The settings of a home; the defaults where it has none.

    Raises:
        ConfigError: they have mistakes; all of them, each with its place.
        PrismError: they cannot be read.
    """
    if not home.settings.exists():
        return Settings()
    from prismctl.files.text import read_text

    text = read_text(home.settings)
    if not text.strip():
        return Settings()
    from prismctl.files.yaml import parse_document

    return read_settings(parse_document(text, home.settings))


def save_setting(home: Home, key: str, value: str) -> None:
    """Write one setting down; what else somebody wrote there stays, comments included.

    Raises:
        ConfigError: the settings have mistakes already.
        PrismError: they cannot be read or written.
    """
    from prismctl.files.atomic import write_atomically
    from prismctl.files.text import read_text
    from prismctl.files.yaml import with_value

    load_settings(home)
    text = read_text(home.settings) if home.settings.exists() else ""
    write_atomically(home.settings, with_value(text, key, value))


def read_settings(document: Document, *, key: str = "") -> Settings:
    """The settings that a document, or one mapping in it, describes.

    Raises:
        ConfigError: they have mistakes; all of them, each with its place.
    """
    from prismctl.domain.document import Report

    report = Report(document)
    path = (key,) if key else ()
    tree: Any = document.tree
    given = settings_shape().read(tree[key] if key else tree, path, report)
    report.problems.raise_if_any()
    return make_settings(given, document, path)


def make_settings(
    given: Mapping[str, Any], document: Document, path: tuple[str | int, ...] = ()
) -> Settings:
    """Settings from values that were found to be good."""
    defaults = Settings()
    limits = given.get("limits", {})
    log_megabytes = limits.get("log_mb")
    runtime = given.get("runtime", "auto")
    return Settings(
        engine=given.get("engine", defaults.engine),
        runtime=None if runtime == "auto" else Runtime(runtime),
        containers=given.get("containers", defaults.containers),
        auto_ports=given.get("auto_ports", defaults.auto_ports),
        persist=given.get("persist", defaults.persist),
        on_failure=FailurePolicy(given.get("on_failure", defaults.on_failure)),
        wait_timeout_seconds=given.get("wait_timeout", defaults.wait_timeout_seconds),
        warm=given.get("warm", defaults.warm),
        dashboard_port=given.get("ports", {}).get("dashboard", defaults.dashboard_port),
        max_log_bytes=None if log_megabytes is None else log_megabytes << 20,
        release_url=given.get("release_url", defaults.release_url),
        release_key=given.get("release_key", defaults.release_key),
        theme=given.get("theme", defaults.theme),
        keys=given.get("keys", {}),
        places={key: document.place_of_key((*path, key)) for key in given},
    )


def settings_shape() -> Fields:
    """The table of keys of the settings."""
    from prismctl.domain.shape import (
        Duration,
        Fields,
        Flag,
        Key,
        MapOf,
        OneOf,
        PortNumber,
        Text,
        Whole,
    )

    return Fields(
        {
            "engine": Key(OneOf("engine", ENGINES), "who runs the services"),
            "runtime": Key(
                OneOf("runtime", RUNTIMES), "what is preferred where a service offers both"
            ),
            "containers": Key(
                OneOf("container tool", CONTAINER_TOOLS), "what runs containers where both are here"
            ),
            "auto_ports": Key(Flag(), "a port that is taken is replaced by a free one"),
            "persist": Key(Flag(), "keep data from one start to the next"),
            "on_failure": Key(
                OneOf("policy", tuple(FailurePolicy)),
                "what happens to the rest when a service does not come up",
            ),
            "wait_timeout": Key(Duration(), "how long a start waits until all is healthy"),
            "warm": Key(Flag(), "bring the engine up while somebody chooses what to run"),
            "release_url": Key(Text(), "mirror that `init` fetches Nomad and Consul from"),
            "release_key": Key(
                Text(), "file with the public key of a mirror that signs its own builds"
            ),
            "ports": Key(
                Fields({"dashboard": Key(PortNumber(), "where the web dashboard is tried first")}),
                "ports of prismctl itself",
            ),
            "limits": Key(
                Fields(
                    {"log_mb": Key(Whole(1, 1 << 20), "a service's log is rotated at this size")}
                ),
                "bounds",
            ),
            "theme": Key(Text(), "of the terminal dashboard"),
            "keys": Key(
                MapOf(r"^[a-z][a-z0-9_.-]*$", "the name of an action", Text()),
                "keys of the terminal dashboard, by the name of the action",
            ),
        }
    )
