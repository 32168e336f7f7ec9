"""The keeper's socket in the file system: one keeper a lock, one user a socket."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
from typing import Final

MAX_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
"""What a unix socket's address has room for, the terminating zero left out."""


class CannotListenError(Exception):
    """Why there can be no keeper here, in one line."""


class HeldError(CannotListenError):
    """Another keeper is there already."""


def take_lock(path: str) -> int:
    """Hold the lock until this process ends, however it ends.

    The file stays behind: removing it would let two processes hold locks on two files of one name.

    Raises:
        CannotListenError: it is held (``HeldError``), or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HeldError(f"another keeper holds {path}") from error
    except OSError as error:
        raise CannotListenError(f"lock {path}: {_reason(error)}") from error
    return descriptor


def listen(path: str) -> socket.socket:
    """Listen at ``path``, for this user only; call with the lock held, since what is there is replaced.

    Raises:
        CannotListenError: the path is too long or cannot be used.
    """
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise CannotListenError(
            f"the socket path is {length} bytes long, at most {MAX_PATH_BYTES} are possible: {path}"
        )
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening.bind(path)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise CannotListenError(f"socket {path}: {_reason(error)}") from error
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO).lower()
