"""The text of a new project file: what a repository needs, with every other key at hand as a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.importing.entry_text import render_entry

if TYPE_CHECKING:
    from prismctl.domain.importing.imported import Imported

_HEAD: Final = """\
# What this repository needs to run. `prismctl dev start` anywhere below this directory starts it,
# as stack `{stack}`; another working tree is another stack, and neither is in the other's way.
# `prismctl dev start --dry-run` shows what would be started, and why.

# The stack's name; without it, that of the directory.
# stack: {stack}

# What is started: minimal, redis, messaging, postgres or full; `profile: NAME` takes a saved one instead.
preset: minimal
"""
_WITH: Final = """\

# Services beside those; short names will do.
with: [{names}]
"""
_HELD_BACK: Final = """\
# Not among them: {names}
"""
_NO_WITH: Final = """\

# Services to add to those, or to leave out; short names will do.
# with: [redis]
# without: [memstore]
"""
_NO_OWN: Final = """\

# Services to leave out of those; short names will do. What is added to them stands in `with`, below.
# without: [memstore]
"""
_CATALOG: Final = """\

# A catalog of the repository's own instead of ~/.prism/services.yaml, relative to this file.
# catalog: services.yaml
"""
_BINARIES: Final = """\

# Programs in build/binaries run in place of the packaged services of their names: {names}
"""
_FOREIGN: Final = """\

# {file} is here, too: its services come in with
#   prismctl dev catalog import {file} --into prism.yaml
"""
_SERVICES: Final = """\

# Services of this repository, on top of the catalog; from {file}.
services:
"""
_NO_SERVICES: Final = """\

# Services of this repository, on top of the catalog; `prismctl dev catalog schema` has every key.
# What is here is started once it is chosen, as services of the catalog are: `with: [api, redis]`.
# with: [api]
# services:
#   - name: api
#     command: [./bin/api, --port, "${self.port}"]
#     port: 8000
#     depends_on: [prism-admin]
#     health_check: {type: http, path: /healthz}
"""
_SETTINGS: Final = """\

# Settings, over those of ~/.prism/config.yaml.
# settings:
#   engine: auto            # auto, nomad or local
#   runtime: auto           # auto, container or native
#   auto_ports: false       # true: a port that is taken is replaced by a free one
#   persist: false          # true: data stays from one start to the next
#   on_failure: keep        # stop: one service that fails takes the stack down
#   wait_timeout: 60s
"""


def render_project(
    stack: str,
    *,
    imported: Imported | None = None,
    foreign_files: tuple[str, ...] = (),
    binaries: tuple[str, ...] = (),
) -> str:
    """The text of ``prism.yaml``.

    Args:
        stack: the stack that it gives a name to.
        imported: services that are written into it.
        foreign_files: files of other tools that lie beside it and are not imported.
        binaries: names of programs in ``build/binaries``.
    """
    parts = [_HEAD.format(stack=stack)]
    services = imported.services if imported is not None else ()
    chosen = imported.chosen if imported is not None else ()
    if chosen:
        parts.append(_WITH.format(names=", ".join(each.name for each in chosen)))
    else:
        parts.append(_NO_WITH if services else _NO_OWN)
    held_back = [f"{each.name} ({each.held_back})" for each in services if each.held_back]
    if held_back:
        parts.append(_HELD_BACK.format(names=", ".join(held_back)))
    parts.append(_CATALOG)
    if binaries:
        parts.append(_BINARIES.format(names=", ".join(binaries)))
    parts += [_FOREIGN.format(file=file) for file in foreign_files]
    if imported is not None and services:
        parts.append(_SERVICES.format(file=imported.file))
        parts.append("\n".join(render_entry(each.entry) for each in services))
    else:
        parts.append(_NO_SERVICES)
    return "".join([*parts, _SETTINGS])
