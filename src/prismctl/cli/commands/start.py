"""``prismctl dev start``: what is wanted, as flags; `cli/starting.py` does it, `cli/dry_run.py` only shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from prismctl.cli.command import Command, option
from prismctl.cli.completion import (
    complete_presets,
    complete_profiles,
    complete_service_options,
    complete_services,
)
from prismctl.cli.numbers import SECONDS, SEED
from prismctl.domain.presets import RANDOM
from prismctl.errors import ConfigError, Problem
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

    from prismctl.cli.invocation import Invocation

_WHAT = "What to start"
_HOW = "How"


class StartCommand(Command):
    """Understands ``--with-NAME`` and ``--without-NAME`` for whatever the catalog names, and when a seed says something."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split the names off, then parse as usual.

        Raises:
            ConfigError: ``--with-redis=false`` and the like, or a seed of nothing that is drawn.
        """
        rest = super().parse_args(ctx, split_service_options(args))
        if not ctx.resilient_parsing:
            _check_seed(ctx.params)
        return rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The options, and ``--with-NAME`` for each service of the catalog."""
        from click.shell_completion import CompletionItem

        items = super().shell_complete(ctx, incomplete)
        items += [CompletionItem(name) for name in complete_service_options(incomplete)]
        return items


def split_service_options(args: list[str]) -> list[str]:
    """``--with-redis`` as ``--with redis``; a value after it says something impossible.

    Raises:
        ConfigError: ``--with-redis=false`` and the like.
    """
    words: list[str] = []
    for index, word in enumerate(args):
        if word == "--":
            return [*words, *args[index:]]
        for flag in ("--with-", "--without-"):
            name = word.removeprefix(flag)
            if name in {word, ""}:
                continue
            if "=" in name:
                raise _value_error(flag, name)
            words += [flag.removesuffix("-"), name]
            break
        else:
            words.append(word)
    return words


def _check_seed(params: Mapping[str, Any]) -> None:
    if params.get("seed") is not None and params["preset"] != RANDOM:
        problem = Problem(message="`--seed` says nothing without `--preset=random`")
        raise ConfigError((problem,), hint="leave it out, or add `--preset=random`")


def _value_error(flag: str, text: str) -> ConfigError:
    name, _, value = text.partition("=")
    is_no = value.lower() in {"false", "no", "0", "off"}
    meant = f"--without {name}" if is_no == (flag == "--with-") else f"--with {name}"
    problem = Problem(message=f"`{flag}{name}` takes no value, so `={value}` says nothing")
    return ConfigError((problem,), hint=f"write `{meant}`")


@click.command(
    cls=StartCommand,
    outlives_readers=True,
    help="Start a stack and wait until it is ready. The plan is shown with the reason for each service, "
    "then applied exactly as shown. A stack that already runs is changed to the plan: what that "
    "removes, restarts, moves or scales is said first, and a terminal is asked before something that is well ends. "
    "The same plan again changes nothing. Where a port is taken, a terminal is asked what to do. On a terminal, "
    "the dashboard opens when it is up.",
    short_help="Start a stack and wait until it is ready.",
    examples=[
        ("prismctl dev start", "choose; without a terminal, the smallest stack"),
        ("prismctl dev start --preset=redis", "with Redis"),
        ("prismctl dev start --with-postgres --with nats", "a choice of your own"),
        ("prismctl dev start --services=./services.yaml", "from a catalog of your own"),
        ("prismctl dev start --services=./services.yaml --watch", "restart what you edit"),
        ("prismctl dev start --preset=full --dry-run", "only show what would start"),
        ("prismctl dev start --stack two", "a second stack beside the first"),
    ],
)
@option(
    "--preset",
    metavar="NAME",
    section=_WHAT,
    shell_complete=complete_presets,
    help="minimal, redis, messaging, postgres, full or random.",
)
@option(
    "--seed",
    metavar="NUMBER",
    type=SEED,
    section=_WHAT,
    help="Draws what `--preset=random` drew when it said this number.",
)
@option(
    "--profile",
    metavar="NAME|FILE",
    section=_WHAT,
    shell_complete=complete_profiles,
    help="What a profile names, with its settings for each service.",
)
@option(
    "--with",
    "with_services",
    metavar="NAME",
    multiple=True,
    section=_WHAT,
    shell_complete=complete_services,
    help="Add a service; also `--with-NAME`. Can be repeated.",
)
@option(
    "--without",
    "without_services",
    metavar="NAME",
    multiple=True,
    section=_WHAT,
    shell_complete=complete_services,
    help="Leave a service out. Can be repeated.",
)
@option(
    "--services",
    "catalog_file",
    metavar="FILE",
    section=_WHAT,
    type=click.Path(dir_okay=False),
    help="Use this catalog for this call instead of home's.",
)
@option(
    "--engine",
    type=click.Choice(["auto", "nomad", "local"]),
    section=_HOW,
    help="Who runs the services; `auto` takes Nomad once it is installed.",
)
@option(
    "--runtime",
    type=click.Choice(["auto", "container", "native"]),
    section=_HOW,
    help="What runs a service that could be either; `auto` takes a container where one can be had.",
)
@option(
    "--auto-ports",
    is_flag=True,
    section=_HOW,
    help="Take a free port where one is taken, without asking.",
)
@option(
    "--persist",
    is_flag=True,
    section=_HOW,
    help="Keep the data of every service; without it, a start is a clean slate.",
)
@option(
    "--watch",
    is_flag=True,
    section=_HOW,
    help="Restart a service when files change that its `watch` in the catalog names, or what is built for it.",
)
@option(
    "--on-failure",
    type=click.Choice(["keep", "stop"]),
    default="keep",
    show_default=True,
    section=_HOW,
    help="What happens to the rest when a service fails.",
)
@option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    section=_HOW,
    help="How long to wait until all is ready: seconds, or `90s`, `2m`.",
)
@option(
    "--log-file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    section=_HOW,
    help="Append what all services print to this file, as long as the stack runs.",
)
@option(
    "--no-dashboard",
    is_flag=True,
    section=_HOW,
    help="Open no dashboard after the start; without a terminal to show it on, none opens anyway.",
)
@option("--dry-run", is_flag=True, section=_HOW, help="Show the plan and touch nothing.")
@click.argument("words", nargs=-1, metavar="")
@click.pass_context
def start(
    ctx: click.Context,
    call: Invocation,
    *,
    words: tuple[str, ...],
    preset: str | None,
    seed: int | None,
    profile: str | None,
    with_services: tuple[str, ...],
    without_services: tuple[str, ...],
    catalog_file: str | None,
    engine: str | None,
    runtime: str | None,
    auto_ports: bool,
    persist: bool,
    watch: bool,
    on_failure: str,
    wait_timeout: float,
    log_file: str | None,
    no_dashboard: bool,
    dry_run: bool,
) -> None:
    """Hand what was typed to the start."""
    if words:
        raise _stray_word_error(ctx, words[0])
    from prismctl.cli.start_options import StartOptions

    if log_file is not None and not Path(log_file).absolute().parent.is_dir():
        problem = Problem(message=f"--log-file: {Path(log_file).parent} is not a directory")
        raise ConfigError((problem,), hint=f"`mkdir -p {Path(log_file).parent}` makes it")
    options = StartOptions(
        preset=preset,
        profile=profile or "",
        with_services=with_services,
        without_services=without_services,
        catalog_file=catalog_file,
        engine=engine if _is_typed(ctx, "engine") else None,
        runtime=runtime or "",
        has_auto_ports=auto_ports,
        persists=persist,
        watches=watch,
        on_failure=on_failure if _is_typed(ctx, "on_failure") else "",
        wait_seconds=wait_timeout if _is_typed(ctx, "wait_timeout") else None,
        log_file=str(Path(log_file).absolute()) if log_file else None,
    )
    if seed is not None:
        options = replace(options, random_seed=int(seed))
    if dry_run:
        from prismctl.cli.dry_run import show_plan

        show_plan(call, options)
        return
    from prismctl.cli.start_questions import settle_questions

    settled = settle_questions(call, options)
    if settled is None:
        call.report([line("nothing was started")])
        return
    from prismctl.cli.starting import start_stack

    if no_dashboard or not call.can_watch:
        start_stack(call, settled)
        return
    from prismctl.cli.start_settings import keeps_going
    from prismctl.cli.watching import start_and_watch

    start_and_watch(
        call,
        lambda: start_stack(call, settled),
        keeps_going=lambda: keeps_going(call, settled.options),
    )


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _stray_word_error(ctx: click.Context, word: str) -> ConfigError:
    from prismctl.cli.root import DEV_ENTRIES
    from prismctl.domain.presets import PRESET_NAMES
    from prismctl.domain.problems import nearest_name

    problem = Problem(message=f"`{word}` is not a flag")
    if word in DEV_ENTRIES:
        return ConfigError((problem,), hint=f"put the command first: `prismctl dev {word} …`")
    if word in PRESET_NAMES:
        return ConfigError((problem,), hint=f"write `{ctx.command_path} --preset={word}`")
    meant = nearest_name(word, DEV_ENTRIES)
    hint = f"did you mean `prismctl dev {meant}`?" if meant else f"write `--with {word}`"
    return ConfigError((problem,), hint=hint)
