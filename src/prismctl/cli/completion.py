"""What the tab key knows: stacks, presets, services of the catalog. From files only, silent when they are broken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click
    from click.shell_completion import CompletionItem

    from prismctl.files.paths import StackPaths

_WITH = "--with-"


def complete_stacks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The stacks that home knows."""
    from prismctl.files.paths import find_home

    del ctx, param
    try:
        names = [entry.name for entry in find_home().stacks.iterdir() if entry.is_dir()]
    except OSError:
        names = []
    return sorted(_beginning_with(incomplete, {*names, "default"}))


def complete_presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ready-made selections."""
    from prismctl.domain.presets import PRESET_NAMES

    del ctx, param
    return _beginning_with(incomplete, PRESET_NAMES)


def complete_profiles(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[str] | list[CompletionItem]:
    """The saved profiles; files, where what was typed can only be one and may be."""
    from prismctl.files.paths import find_home
    from prismctl.files.profiles import list_profiles

    del ctx
    is_path = "/" in incomplete or incomplete.startswith((".", "~"))
    if is_path and "FILE" in (param.metavar or ""):
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]
    return _beginning_with(incomplete, list_profiles(find_home()))


def complete_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the catalog, those already typed left out."""
    del param
    return _not_typed(ctx, _beginning_with(incomplete, catalog_words()))


def complete_running(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the stack, those already typed left out; those of the catalog where there is no stack."""
    del param
    words = _planned_services(_stack_of(ctx)) or catalog_words()
    return _not_typed(ctx, _beginning_with(incomplete, words))


def complete_addable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the catalog that the stack does not have, those already typed left out."""
    del param
    there = _planned_services(_stack_of(ctx))
    words = [word for word in catalog_words() if word not in there]
    return _not_typed(ctx, _beginning_with(incomplete, words))


def complete_removable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the stack that may be left out, those already typed left out."""
    from prismctl.domain.selection import REQUIRED

    del param
    services = _read_planned(_stack_of(ctx))
    words = [name for name, each in services.items() if each.get("source") != REQUIRED]
    return _not_typed(ctx, _beginning_with(incomplete, words))


def complete_scalable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the stack of which there can be more or fewer instances."""
    del param
    services = _read_planned(_stack_of(ctx))
    words = [
        name
        for name, each in services.items()
        if each.get("runtime") != "external" and not each.get("one_shot")
    ]
    return _beginning_with(incomplete, words)


def complete_settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The settings of the stack and the services; after a service and a dot, its own."""
    from prismctl.domain.setting_names import OWN_KEYS, SERVICE_KEYS, STACK_KEYS

    del ctx, param
    service, dot, _ = incomplete.partition(".")
    words = catalog_words()
    if not dot or service in ("ports", "limits"):
        return _beginning_with(incomplete, [*STACK_KEYS, *words])
    from prismctl.domain.service import full_name

    name = full_name(service, words)
    if name not in words:
        return []
    # Of a service of one's own, only what every service has is known without reading the catalog.
    keys = [*OWN_KEYS.get(name, ()), *SERVICE_KEYS]
    return _beginning_with(incomplete, [f"{service}.{key}" for key in keys])


def complete_data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services that have data in the stack, those already typed left out."""
    from prismctl.files.service_data import ServiceData

    del param
    names = ServiceData(_stack_of(ctx).data).names()
    return _not_typed(ctx, _beginning_with(incomplete, names))


def complete_previous(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The services of which there is something to restore, those already typed left out."""
    from prismctl.files.service_data import ServiceData
    from prismctl.files.snapshots import Snapshots

    del param
    paths = _stack_of(ctx)
    names = set(ServiceData(paths.data).names_of_previous())
    if not ctx.params.get("previous"):
        names |= {name for each in Snapshots(paths.snapshots).list_all() for name in each.sizes}
    return _not_typed(ctx, _beginning_with(incomplete, sorted(names)))


def complete_snapshots(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The snapshots of the stack, the newest first."""
    from prismctl.files.snapshots import Snapshots

    del param
    names = [each.name for each in Snapshots(_stack_of(ctx).snapshots).list_all()]
    return _beginning_with(incomplete, names)


def complete_service_options(incomplete: str) -> list[str]:
    """``--with-NAME`` for each service, once that much was typed."""
    if not incomplete.startswith(_WITH):
        return []
    return [f"{_WITH}{name}" for name in _beginning_with(incomplete[len(_WITH) :], catalog_words())]


def catalog_words() -> list[str]:
    """The names in the user's catalog; the packaged ones where it is not there or cannot be read."""
    from prismctl.files.catalog_names import recall_names
    from prismctl.files.paths import find_home

    home = find_home()
    known = recall_names(home)
    if known is not None:
        return known
    from prismctl.files.catalog import load_catalog

    try:
        return list(load_catalog(home, creates=False).names)
    except (PrismError, OSError):
        from prismctl.domain.packaged import PACKAGED

        return list(PACKAGED)


def _planned_services(paths: StackPaths) -> list[str]:
    """The names of what runs, as far as that can be read."""
    return list(_read_planned(paths))


def _read_planned(paths: StackPaths) -> dict[str, dict[str, Any]]:
    """The services of the plan that was applied, by name; none where there is none, or it cannot be read."""
    try:
        text = paths.plan.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    import json

    try:
        return {str(service["name"]): service for service in json.loads(text)["services"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _stack_of(ctx: click.Context) -> StackPaths:
    """The stack that the line typed so far is about; a name that cannot be one's leads nowhere."""
    from prismctl.files.paths import find_home, find_project_file

    home = find_home()
    typed = ctx.params.get("_stack")
    if not typed and "PRISM_STACK" not in os.environ and find_project_file(Path.cwd()) is None:
        # As `resolve_stack` has it, for which there is no time unless it is needed.
        return home.stack("default")
    from prismctl.cli.invocation import resolve_stack

    try:
        name = resolve_stack(typed)
    except PrismError:
        name = "default"
    return home.stack(name)


def _not_typed(ctx: click.Context, names: Iterable[str]) -> list[str]:
    typed = {
        word
        for words in ctx.params.values()
        if isinstance(words, tuple)
        for word in words
        if isinstance(word, str)
    }
    return [name for name in names if name not in typed]


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
