"""Whose process has a port: a service of a stack, or a container of somebody; and how such a one is ended.

Ending the process itself would not do: a stack starts its service again, and what holds a container's port is not the
container.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from prismctl.domain.host_port import HostPort, PortProtocol


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


def stop_command(owner: StackOwner, *, mark: str = "`") -> str:
    """What is typed to stop the stack; without its home's path, what is to be added is said in words.

    Args:
        owner: whose words are of another process's making, and are quoted for the shell.
        mark: what stands on both sides of the command.
    """
    command = (
        f"prismctl dev stop --stack {shlex.quote(owner.stack)}"
        if owner.stack
        else "prismctl dev stop"
    )
    if not owner.is_other_home:
        return f"{mark}{command}{mark}"
    if owner.home:
        return f"{mark}PRISM_HOME={shlex.quote(owner.home)} {command}{mark}"
    return f"{mark}{command}{mark} with its PRISM_HOME"


def describe_container(owner: ContainerOwner) -> str:
    """The container in words: ``container shop-db``."""
    return f"container {owner.name}" if owner.name else f"a container ({owner.tool})"


def end_container_command(owner: ContainerOwner, *, mark: str = "`") -> str:
    """What is typed to end the container, or to find it, with a mark on both sides."""
    what = f"stop {shlex.quote(owner.name)}" if owner.name else "ps"
    return f"{mark}{owner.tool} {what}{mark}"


def advise_on_container(owner: ContainerOwner) -> str:
    """The same with what it does."""
    return f"{end_container_command(owner)} {'ends it' if owner.name else 'shows which it is'}"


def who_command(port: HostPort, system: str) -> str:
    """What root types to see who has a port, on a system as `sys.platform` names it."""
    is_tcp = port.protocol is PortProtocol.TCP
    if system == "linux":
        return f"sudo ss -l{'t' if is_tcp else 'u'}np 'sport = :{port.number}'"
    listening = " -sTCP:LISTEN" if is_tcp else ""
    return f"sudo lsof -i{port.protocol.upper()}:{port.number}{listening}"
