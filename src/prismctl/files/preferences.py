"""How a stack is run: the settings of the whole stack, from flags down to defaults, each with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.precedence import DEFAULT, Given, Setting, resolve_setting
from prismctl.domain.service import DEFAULT_STACK
from prismctl.files.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.files.profiles import Profile
    from prismctl.files.project import Project

DEFAULT_WAIT_SECONDS: Final = 60.0
"""How long a start waits where nobody has said."""

_MEGABYTE: Final = 1 << 20


class _Preference(NamedTuple):
    """A setting of the whole stack."""

    field: str
    """Of `Settings`."""
    meaning: str
    is_of_projects: bool = False
    """Whether a project's file may say it for everybody who works there."""


PREFERENCES: Final[Mapping[str, _Preference]] = {
    "engine": _Preference("engine", "who runs the services", is_of_projects=True),
    "runtime": _Preference(
        "runtime", "what runs a service that could be either", is_of_projects=True
    ),
    "containers": _Preference("containers", "what runs containers"),
    "auto_ports": _Preference(
        "auto_ports", "a port that is taken is replaced by a free one", is_of_projects=True
    ),
    "persist": _Preference(
        "persist", "the data of every service stays for the next start", is_of_projects=True
    ),
    "on_failure": _Preference(
        "on_failure", "what happens to the rest when a service fails", is_of_projects=True
    ),
    "wait_timeout": _Preference(
        "wait_timeout_seconds",
        "how many seconds a start waits until all is healthy",
        is_of_projects=True,
    ),
    "warm": _Preference("warm", "the engine comes up while somebody chooses what to run"),
    "ports.dashboard": _Preference("dashboard_port", "where the web dashboard is tried first"),
    "limits.log_mb": _Preference("max_log_bytes", "a service's log is rotated at this size"),
    "release_url": _Preference("release_url", "mirror that `init` fetches Nomad and Consul from"),
    "release_key": _Preference("release_key", "file with the public key of a mirror"),
    "theme": _Preference("theme", "of the terminal dashboard"),
}
"""By the key in ``config.yaml``."""


def settle_preferences(
    typed: Mapping[str, Given],
    *,
    settings: Settings,
    project: Project | None = None,
    profile: Profile | None = None,
    stack: str = DEFAULT_STACK,
) -> dict[str, Setting]:
    """Every setting of the whole stack, from the highest layer that names it.

    Args:
        typed: what was said on the spot, by key.
        settings: of home.
        project: whose directory somebody stands in.
        profile: that was chosen.
        stack: a second one takes free ports by itself.
    """
    defaults = Settings()
    return {
        key: resolve_setting(
            key,
            [
                typed.get(key),
                _of_second_stack(stack) if key == "auto_ports" else None,
                _of_profile(profile) if key == "persist" else None,
                _of_project(project, key),
                _of_settings(settings, key),
                Given(_value_of(defaults, key), DEFAULT),
            ],
        )
        for key in PREFERENCES
    }


def _of_second_stack(stack: str) -> Given | None:
    return None if stack == DEFAULT_STACK else Given(value=True, source=f"stack {stack}")


def _of_profile(profile: Profile | None) -> Given | None:
    if profile is None:
        return None
    document = profile.document
    is_said = profile.persist or (document is not None and ("persist",) in document.keys)
    if not is_said:
        return None
    source = f"profile {profile.name}"
    if document is None:
        return Given(profile.persist, source)
    return Given(profile.persist, source, document.place_of_key(("persist",)))


def _of_project(project: Project | None, key: str) -> Given | None:
    if project is None or project.settings is None or not PREFERENCES[key].is_of_projects:
        return None
    return _of_settings(project.settings, key)


def _of_settings(settings: Settings, key: str) -> Given | None:
    """What a file says; only whoever wrote the key there has said anything."""
    place = settings.place(key.partition(".")[0])
    if not place.file:
        return None
    return Given(_value_of(settings, key), place.file.rpartition("/")[2], place)


def _value_of(settings: Settings, key: str) -> Any:
    """The value as it is written in a file."""
    value = getattr(settings, PREFERENCES[key].field)
    if key == "runtime":
        return "auto" if value is None else value.value
    if key == "on_failure":
        return value.value
    if key == "wait_timeout":
        return DEFAULT_WAIT_SECONDS if value is None else value
    if key == "limits.log_mb":
        return None if value is None else value // _MEGABYTE
    return value
