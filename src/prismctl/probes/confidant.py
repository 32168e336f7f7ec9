"""Tells a password to nobody but who it was made for.

A port is nobody's until the server has it: while it starts, and after it has fallen over, any user of the machine can
listen there, ask for the password in clear text, and let the server have its port again. So before anything is said,
the kernel is asked whose the other end of the connection is (Linux).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from prismctl.accounts import user_name
from prismctl.machine import find_peer, find_users
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import socket

    from prismctl.probes.question import Question


def require_confidant(connection: socket.socket, question: Question) -> None:
    """See that no password goes to a stranger: who has the port is this user, root, or as whom the service runs.

    Raises:
        NotReadyError: somebody else has it.
    """
    if not question.password or question.is_elsewhere:
        return
    users = {each.user_id for each in find_peer(connection)} - {os.geteuid(), 0}
    strangers = users and users - _find_own_users(question)
    if strangers:
        who = user_name(min(strangers))
        raise NotReadyError(
            f"port {question.port} is answered by user {who}, who was not told the password"
        )


def _find_own_users(question: Question) -> set[int]:
    """As whom the service's processes run, as far as they are there: root gives some an account of their own."""
    numbers = [] if question.pid is None else [question.pid]
    if question.pid_file is not None:
        with contextlib.suppress(OSError, ValueError):
            numbers.append(int(question.pid_file.read_text(encoding="ascii")))
    return {user for number in numbers for user in find_users(number)}
