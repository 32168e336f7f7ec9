"""Gathers prismctl and all that it needs as wheels, in the versions that are installed now."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from prismctl.domain.counting import count_of
from prismctl.errors import PrismError, UnavailableError
from prismctl.install.commands import run_command, shorten_line
from prismctl.install.release.writing import writing
from prismctl.install.steps import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.install.bundle.staging import Staging

_PACKAGE: Final = "prismctl"
_VENV_SECONDS: Final = 120.0
_WHEELS_SECONDS: Final = 1800.0
_WITHOUT: Final = "`--without-wheels` leaves them out"
_FOREIGN_VARIABLES: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""They would lead another Python to what is installed for this one."""


async def gather_wheels(
    staging: Staging, environment: Mapping[str, str], report: Callable[[str], None]
) -> Outcome:
    """Have all wheels ready to be packed; pip fetches them, set up as it is for this person.

    Raises:
        UnavailableError: a wheel cannot be fetched.
        PrismError: there is no pip to be had, or prismctl cannot be built.
    """
    requirement = find_requirement()
    clean = {name: value for name, value in environment.items() if name not in _FOREIGN_VARIABLES}
    report("a Python of its own for pip")
    python = await _make_python(staging.directory / "venv", clean)
    constraints = staging.directory / "constraints.txt"
    with writing(constraints):
        constraints.write_text(list_constraints(metadata.distributions()), encoding="utf-8")
    wheels = staging.directory / "wheels"
    report("pip fetches what is missing, and builds what it has to")
    command = (str(python), "-m", "pip", "wheel", "--no-input", "--progress-bar", "off")
    where = ("--wheel-dir", str(wheels), "--constraint", str(constraints))
    answer = await run_command(
        (*command, *where, "--prefer-binary", requirement),
        environment=clean,
        timeout_seconds=_WHEELS_SECONDS,
    )
    if not answer.is_success:
        raise UnavailableError(
            f"the wheels of prismctl cannot be had: {_find_reason(answer.lines)}",
            hint=f"`pip config list` says where pip looks for them; {_WITHOUT}",
        )
    found = sorted(wheels.glob("*.whl"))
    staging.paths.update({f"wheels/{path.name}": path for path in found})
    staging.python = ".".join(platform.python_version_tuple()[:2])
    return Outcome(detail=f"{count_of(len(found), 'wheel')} for Python {staging.python}")


def list_constraints(installed: Any) -> str:
    """What pip must not take another version of, a line each: everything but prismctl itself."""
    versions = {
        each.metadata["Name"].lower(): each.version
        for each in installed
        if each.metadata["Name"] is not None
    }
    versions.pop(_PACKAGE, None)
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def find_requirement() -> str:
    """What pip has to be told to get this very prismctl: the checkout it runs from, or its version.

    Raises:
        PrismError: it was not installed as a package.
    """
    try:
        installed = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise PrismError(
            "this prismctl is not installed as a package, so pip does not know where it came from",
            hint=_WITHOUT,
        ) from error
    return name_requirement(installed.read_text("direct_url.json"), installed.version)


def name_requirement(origin: str | None, version: str) -> str:
    """The same, from what pip wrote down about where it came from (``direct_url.json``, PEP 610)."""
    try:
        document: dict[str, Any] = json.loads(origin or "{}")
        url = str(document.get("url", ""))
        if "vcs_info" in document:
            source = document["vcs_info"]
            return f"{_PACKAGE} @ {source['vcs']}+{url}@{source['commit_id']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        url = ""
    if not url:
        return f"{_PACKAGE}=={version}"
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else f"{_PACKAGE} @ {url}"


async def _make_python(directory: Path, environment: Mapping[str, str]) -> Path:
    answer = await run_command(
        (sys.executable, "-m", "venv", str(directory)),
        environment=environment,
        timeout_seconds=_VENV_SECONDS,
    )
    python = directory / "bin" / "python"
    if answer.is_success:
        return python
    if "ensurepip" in answer.output + answer.complaint:
        raise PrismError(
            f"{sys.executable} comes without pip (its `ensurepip` is missing), which gathers the wheels",
            hint=f"on Debian and Ubuntu: `apt install python3-venv`; {_WITHOUT}",
        )
    raise PrismError(
        f"{sys.executable} cannot make an environment for pip: {_find_reason(answer.lines)}",
        hint=_WITHOUT,
    )


def _find_reason(lines: tuple[str, ...]) -> str:
    """The first error that pip names; else its last word."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return shorten_line((errors or list(lines[-1:]) or ["it says nothing"])[0])
