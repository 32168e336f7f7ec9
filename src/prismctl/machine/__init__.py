"""Facts about this machine: programs, tools, memory, and who has which port.

Looked at when it is asked for, and no earlier: a start that needs no Redis does not look for one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prismctl.machine.facts import gather_facts
    from prismctl.machine.holders import find_stranger, find_users, is_answered_by, who_holds
    from prismctl.machine.kernel_sockets import find_listeners, find_peer, is_known
    from prismctl.machine.memory import read_available_memory, read_memory_bytes
    from prismctl.machine.ports import is_address_free, is_port_free, release_ports, reserve_port
    from prismctl.machine.programs import (
        BINARIES_DIRECTORY,
        Skipped,
        Tool,
        find_program,
        find_skipped_programs,
        find_skipped_tools,
        find_tool,
        is_own_script,
        tools_directory,
    )

__all__ = [
    "BINARIES_DIRECTORY",
    "Skipped",
    "Tool",
    "find_listeners",
    "find_peer",
    "find_program",
    "find_skipped_programs",
    "find_skipped_tools",
    "find_stranger",
    "find_tool",
    "find_users",
    "gather_facts",
    "is_address_free",
    "is_answered_by",
    "is_known",
    "is_own_script",
    "is_port_free",
    "read_available_memory",
    "read_memory_bytes",
    "release_ports",
    "reserve_port",
    "tools_directory",
    "who_holds",
]

_HOMES: Final = {
    "BINARIES_DIRECTORY": "programs",
    "Skipped": "programs",
    "Tool": "programs",
    "find_listeners": "kernel_sockets",
    "find_peer": "kernel_sockets",
    "find_program": "programs",
    "find_skipped_programs": "programs",
    "find_skipped_tools": "programs",
    "find_stranger": "holders",
    "find_tool": "programs",
    "find_users": "holders",
    "gather_facts": "facts",
    "is_address_free": "ports",
    "is_answered_by": "holders",
    "is_known": "kernel_sockets",
    "is_own_script": "programs",
    "is_port_free": "ports",
    "read_available_memory": "memory",
    "read_memory_bytes": "memory",
    "release_ports": "ports",
    "reserve_port": "ports",
    "tools_directory": "programs",
    "who_holds": "holders",
}
"""The module that each name is in, which is loaded with the name: to find a program takes nothing of what looks at ports."""

if not TYPE_CHECKING:
    # Type checkers shall go on refusing what is not there.

    def __getattr__(name: str) -> Any:
        """The name from its module; asked for once, then it is here."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value
