"""What bash, zsh and fish have to read to complete prismctl, and how each of them asks and wants to be answered.

Click knows how to complete; it does not know that a shell may see ``--preset=red`` as one word, to be replaced as a
whole, or as three.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' answer line
    COMPREPLY=()
    answer=$(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD COMP_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    for line in $answer; do
        case $line in
            dir,*) compopt -o dirnames 2>/dev/null ;;
            file,*) compopt -o default 2>/dev/null ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

_ZSH: Final = """\
#compdef %(prog_name)s
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }

%(complete_func)s() {
    local -a answer plain described
    local kind value meaning
    (( $+commands[%(prog_name)s] )) || return 1
    answer=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for kind value meaning in $answer; do
        case $kind in
            plain)
                if [[ $meaning == _ ]]; then plain+=("$value"); else described+=("$value:$meaning"); fi ;;
            dir) compset -P '-*='; _path_files -/ ;;
            file) compset -P '-*='; _path_files -f ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH: Final = """\
function %(complete_func)s
    set -l word (commandline -ct)
    set -l lead (string match -r -- '^-[^=]*=' $word)
    for line in (COMP_WORDS=(commandline -cp | string collect) COMP_CWORD=$word %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case dir
                for path in (__fish_complete_directories (string replace -r -- '^-[^=]*=' '' $word) '')
                    echo -- "$lead$path"
                end
            case file
                for path in (__fish_complete_path (string replace -r -- '^-[^=]*=' '' $word) '')
                    echo -- "$lead$path"
                end
            case plain
                echo -- $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


def register_shells() -> None:
    """Have click answer the shells this way."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)


def render_script(shell: str, command: click.Command, program: str, variable: str) -> str:
    """What the shell has to read so that it asks for completions.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        command: what is completed.
        program: what it is called.
        variable: by which the program knows that it is asked.
    """
    kinds: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
    source = kinds[shell](command, {}, program, variable)
    template: str = source.source_template
    return template % source.source_vars()


def join_values(words: Sequence[str]) -> list[str]:
    """Options with their values again, of which bash makes three words.

    >>> join_values(["dev", "--preset", "=", "red"])
    ['dev', '--preset=red']
    """
    joined: list[str] = []
    for word in words:
        is_sign = word == "=" and bool(joined) and joined[-1].startswith("--")
        is_value = bool(joined) and joined[-1].startswith("--") and joined[-1].endswith("=")
        if is_sign or is_value:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def with_option(items: list[CompletionItem], incomplete: str) -> list[CompletionItem]:
    """Values of ``--option=…`` with the option before them, for a shell that replaces the whole word."""
    name, sign, _ = incomplete.partition("=")
    if not sign or not name.startswith("-"):
        return items
    return [
        CompletionItem(f"{name}={each.value}", type=each.type, help=each.help)
        if each.type == "plain"
        else each
        for each in items
    ]


class _Bash(BashComplete):
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        position = int(os.environ["COMP_CWORD"])
        words = split_arg_string(os.environ["COMP_WORDS"])[1 : position + 1]
        is_new = len(words) < position
        joined = join_values(words)
        return (joined, "") if is_new else (joined[:-1], joined[-1] if joined else "")

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        items = super().get_completions(args, incomplete)
        # Whoever took `=` out of what separates words has the whole of it replaced.
        is_separated = "=" in os.environ.get("COMP_BREAKS", "=")
        return items if is_separated else with_option(items, incomplete)


class _Zsh(ZshComplete):
    source_template = _ZSH

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        return with_option(super().get_completions(args, incomplete), incomplete)


class _Fish(FishComplete):
    source_template = _FISH

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        return with_option(super().get_completions(args, incomplete), incomplete)
