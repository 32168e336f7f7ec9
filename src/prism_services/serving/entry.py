"""From a command line to an exit code: errors become one line and a hint, nothing becomes a traceback."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from prism_services.serving.failure import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERRUPTED = 130
BROKEN_PIPE = 141


def run_command(body: Callable[[Sequence[str]], None]) -> int:
    """Run ``body`` on this process's arguments; the exit code says how it went."""
    # Everything imported at start stays: collecting in between costs a twentieth of the start. A service
    # turns it on again once it is complete.
    gc.disable()
    try:
        body(sys.argv[1:])
        sys.stdout.flush()
    except ServiceError as error:
        hint = f"hint: {error.hint}\n" if error.hint else ""
        sys.stderr.write(f"error: {error.message}\n{hint}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return BROKEN_PIPE
    return 0


def end_process(code: int) -> NoReturn:
    """End at once: everything that matters is closed by now, and taking the interpreter apart takes 30 ms."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
