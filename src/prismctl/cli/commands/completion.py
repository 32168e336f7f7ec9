"""``prismctl completion``: puts completion where the shell finds it, or prints it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.command import Command, Entry, Group
from prismctl.cli.main import COMPLETION_VARIABLE, PROGRAM_NAME
from prismctl.errors import ConfigError, PrismError, Problem
from prismctl.present.text import Span, Tone, line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation

SHELLS: Final = ("bash", "zsh", "fish")
_MARK: Final = "# prismctl completion"
_BASH_COMPLETION: Final = (
    "/usr/share/bash-completion/bash_completion",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
    "/usr/local/etc/profile.d/bash_completion.sh",
)
_ZSH_PREAMBLE: Final = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"

completion = Group(
    "completion",
    entries={
        "install": Entry(f"{__name__}:install", "Put completion where the shell finds it."),
        "show": Entry(f"{__name__}:show", "Print the completion script."),
    },
    help="Completion for bash, zsh and fish: commands, services, presets and stacks.",
    examples=[
        ("prismctl completion install", "for the shell in use"),
        ("prismctl completion install zsh", "for another one"),
    ],
)


def completion_script(shell: str) -> str:
    """What the shell has to read so that it asks prismctl for completions."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from prismctl.cli.root import root

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    source = kinds[shell](root, {}, PROGRAM_NAME, COMPLETION_VARIABLE)
    # Rendered without `source()`, which would start bash to ask for its version.
    script = source.source_template % source.source_vars()
    return (_ZSH_PREAMBLE if shell == "zsh" else "") + script.strip() + "\n"


@click.command(
    cls=Command,
    help="Put completion where the shell finds it. A file of its own where the shell reads such files, "
    "else also one line in the shell's start file; doing it again changes nothing.",
    short_help="Put completion where the shell finds it.",
    examples=[
        ("prismctl completion install", "for the shell in use"),
        ("prismctl completion install fish", "for another one"),
    ],
    has_stack=False,
    has_output=False,
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def install(call: Invocation, shell: str | None) -> None:
    """Write the script and, where it is needed, the line that reads it."""
    shell = shell or _shell_in_use()
    script, start_file = _places(shell, call.home.directory)
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(completion_script(shell), encoding="utf-8")
        if start_file is not None:
            _add_line(start_file, script)
    except OSError as error:
        raise PrismError(
            f"cannot write {error.filename}: {error.strerror}",
            hint=f"`prismctl completion show {shell}` prints the script",
        ) from error
    call.write_lines([line("wrote ", Span(str(script), Tone.STRONG))])
    if start_file is not None:
        call.write_lines([line("read from ", Span(str(start_file), Tone.STRONG))])
    call.report([line(f"new {shell} sessions complete prismctl; this one after `exec {shell}`")])


@click.command(
    cls=Command,
    help="Print the completion script.",
    examples=[('eval "$(prismctl completion show bash)"', "complete in this session only")],
    has_stack=False,
    has_output=False,
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def show(call: Invocation, shell: str | None) -> None:
    """Print the script for a shell."""
    call.write(completion_script(shell or _shell_in_use()).rstrip())


def _shell_in_use() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        known = ", ".join(SHELLS)
        problem = Problem(message=f"SHELL is `{name}`, which is none of {known}")
        raise ConfigError((problem,), hint="name the shell: `prismctl completion install bash`")
    return name


def _places(shell: str, home: Path) -> tuple[Path, Path | None]:
    """Where the script goes, and the start file that has to read it; ``None`` where the shell finds it."""
    user = Path.home()
    if shell == "fish":
        configuration = Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config")
        return configuration / "fish" / "completions" / f"{PROGRAM_NAME}.fish", None
    if shell == "zsh":
        start_file = Path(os.environ.get("ZDOTDIR") or user) / ".zshrc"
        return home / "completion" / f"{PROGRAM_NAME}.zsh", start_file
    data = Path(os.environ.get("XDG_DATA_HOME") or user / ".local" / "share")
    script = data / "bash-completion" / "completions" / PROGRAM_NAME
    is_found = any(Path(path).exists() for path in _BASH_COMPLETION)
    return script, None if is_found else user / ".bashrc"


def _add_line(start_file: Path, script: Path) -> None:
    """Append the line that reads the script, unless it is there."""
    present = start_file.read_text(encoding="utf-8") if start_file.exists() else ""
    wanted = f'[ -r "{script}" ] && . "{script}"  {_MARK}'
    if wanted in present.splitlines():
        return
    separator = "" if not present or present.endswith("\n") else "\n"
    with start_file.open("a", encoding="utf-8") as file:
        file.write(f"{separator}{wanted}\n")
