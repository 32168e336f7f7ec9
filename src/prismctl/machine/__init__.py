"""Facts about this machine: programs, tools, memory, and who has which port.

Looked at when it is asked for, and no earlier: a start that needs no Redis does not look for one.
"""

from __future__ import annotations

from prismctl.machine.facts import gather_facts
from prismctl.machine.holders import find_stranger, is_answered_by, who_holds
from prismctl.machine.kernel_sockets import find_listeners, is_known
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
    "find_program",
    "find_skipped_programs",
    "find_skipped_tools",
    "find_stranger",
    "find_tool",
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
