from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command, Group
from prismctl.cli.reference import render_reference
from prismctl.cli.root import root
from prismctl.domain.plan import Port
from prismctl.domain.service import ServiceName, StackName
from prismctl.domain.snapshot import (
    InstanceSnapshot,
    ServiceSnapshot,
    ServiceState,
    StackSnapshot,
    StackState,
    render_status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs/reference"


def every_command(
    command: click.Command, path: str = "prismctl"
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found, f"{path} {name}")


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == render_reference()


def test_groups_summarise_their_commands_in_the_commands_own_words() -> None:
    for path, group in every_command(root):
        if not isinstance(group, Group):
            continue
        for name, entry in group.entries.items():
            command = group.get_command(click.Context(group), name)
            assert command is not None
            own = command.short_help or (command.help or "").split(". ")[0].rstrip(".") + "."
            assert entry.summary == own or isinstance(command, Group), f"{path} {name}"


def test_every_command_has_help_with_examples_first(prismctl: Any) -> None:
    for path, command in every_command(root):
        assert isinstance(command, Command | Group)
        assert command.examples, path
        for flag in ("-h", "--help"):
            answer = prismctl(*path.split()[1:], flag)
            assert answer.code == 0, path
            assert answer.out.index("Examples:") < answer.out.index("Usage:"), path


def test_every_example_is_a_command_line_that_parses() -> None:
    for path, command in every_command(root):
        assert isinstance(command, Command | Group)
        for example in command.examples:
            for typed in re.findall(r"prismctl ((?:[^|<>\")']|'[^']*')+)", example.command):
                words = [word.strip("'") for word in typed.split()]
                names = [name for name, _ in every_command(root)]
                known = max(
                    (f"prismctl {' '.join(words[:count])}" for count in (1, 2, 3)),
                    key=lambda name: len(name) if name in names else 0,
                )
                assert known in names, f"{path}: {example.command}"


def test_the_status_page_names_every_field() -> None:
    port = Port(name="db", number=1)
    instance = InstanceSnapshot(index=0, state=ServiceState.HEALTHY, ports=(port,))
    document = render_status(
        StackSnapshot(
            stack=StackName("default"),
            engine="local",
            state=StackState.RUNNING,
            services=(
                ServiceSnapshot(
                    name=ServiceName("redis"),
                    type="backend",
                    runtime="native",
                    state=ServiceState.HEALTHY,
                    instances=(instance,),
                    ports=(port,),
                ),
            ),
        ),
        now=0.0,
    )
    text = (DOCS / "status-document.md").read_text(encoding="utf-8")
    stack_part, _, service_part = text.partition("\nA service:\n")
    rows = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
    assert rows.findall(stack_part) == list(document)
    service = document["services"][0]
    assert set(rows.findall(service_part)) == set(service)
    assert all(f"`{key}`" in service_part for key in service["instances"][0])
