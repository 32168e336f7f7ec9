"""The values that are hidden in the output of a stack: kept beside its logs, because these outlive the plan.

They are in the log files, too, if a service prints them; both are 0600, and both go with the next start or ``clean``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prismctl.domain.redaction import Redactor, find_passwords
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.files.passwords import load_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.files.paths import StackPaths

MAX_VALUES: Final = 500
"""How many values are kept; of plans that have been changed more often than that, the oldest are forgotten."""


def load_redactor(paths: StackPaths) -> Redactor:
    """What hides the secrets of a stack, whether it runs or has stopped.

    Raises:
        PrismError: the values are there and cannot be read; showing everything instead would be worse.
    """
    return Redactor(_load_all(paths))


def remember_secrets(
    paths: StackPaths, values: Iterable[str], redactor: Redactor, *, is_new_start: bool
) -> None:
    """Have a redactor hide these values, and whoever reads the logs once the stack has stopped.

    Those of earlier plans stay hidden, unless their output has been discarded.

    Raises:
        PrismError: it cannot be read or written.
    """
    known = _load_values(paths)
    added = set(values)
    wanted = [] if is_new_start else [value for value in known if value not in added]
    wanted += sorted(added)
    if wanted != known:
        write_atomically(paths.hidden, json.dumps(wanted[-MAX_VALUES:]) + "\n")
    redactor.adopt(_load_all(paths))


def _load_all(paths: StackPaths) -> list[str]:
    return [*_load_values(paths), *find_passwords(load_passwords(paths))]


def _load_values(paths: StackPaths) -> list[str]:
    try:
        document = json.loads(paths.hidden.read_text(encoding="utf-8"))
        return [str(value) for value in document]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise PrismError(
            f"cannot read {paths.hidden}: {getattr(error, 'strerror', None) or error}",
            hint="make it readable, or start the stack again",
        ) from error
