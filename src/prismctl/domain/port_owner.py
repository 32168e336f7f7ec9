"""Whose process has a port: a service of a stack, or a container of somebody; and how such a one is ended.

Ending the process itself would not do: a stack starts its service again, and what holds a container's port is not the
container.
"""

from __future__ import annotations

from typing import NamedTuple


class StackOwner(NamedTuple):
    """The stack that a process runs for, by the mark of its keeper."""

    keeper: str
    """The keeper's id, which no other stack of any home has."""
    stack: str = ""
    """Its name, where that is known."""
    service: str = ""
    """Empty for what is not a service, as the agents of an engine."""
    home: str = ""
    """Where the stack lives, as far as it can be seen."""
    is_other_home: bool = False
    """Whether it is none of the home that asks."""


class ContainerOwner(NamedTuple):
    """The container that a process has a port for."""

    tool: str
    """What is typed to end it: ``podman`` or ``docker``."""
    name: str = ""
    """Empty where that could not be seen."""


def describe_owner(owner: StackOwner) -> str:
    """The service in words: ``redis of stack u1``, ``stack u1 of another home``."""
    stack = f"stack {owner.stack}" if owner.stack else "a stack"
    words = f"{owner.service} of {stack}" if owner.service else stack
    if not owner.is_other_home:
        return words
    return f"{words} of the home {owner.home}" if owner.home else f"{words} of another home"


def stop_command(owner: StackOwner) -> str:
    """What is typed to stop the stack; without its home's path, what is to be added is said in words."""
    stack = f" --stack {owner.stack}" if owner.stack else ""
    if owner.is_other_home:
        if owner.home:
            return f"`PRISM_HOME={owner.home} prismctl dev stop{stack}`"
        return f"`prismctl dev stop{stack}` with its PRISM_HOME"
    return f"`prismctl dev stop{stack}`"


def describe_container(owner: ContainerOwner) -> str:
    """The container in words: ``container shop-db``."""
    return f"container {owner.name}" if owner.name else f"a container ({owner.tool})"


def end_container_command(owner: ContainerOwner) -> str:
    """What is typed to end the container, or to find it."""
    return f"`{owner.tool} stop {owner.name}`" if owner.name else f"`{owner.tool} ps`"


def advise_on_container(owner: ContainerOwner) -> str:
    """The same with what it does."""
    return f"{end_container_command(owner)} {'ends it' if owner.name else 'shows which it is'}"
