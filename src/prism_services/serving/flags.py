"""Command lines of the services: examples before options, one line and a hint for a mistake."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from prism_services import __version__
from prism_services.serving.failure import FlagError
from prism_services.serving.journal import LEVELS, LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST_PORT: Final = 65535
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
UNKNOWN: Final = re.compile(r"unrecognized arguments: (\S+)")


class Flags(argparse.ArgumentParser):
    """A parser that speaks like the rest of the program."""

    def __init__(self, *, prog: str, summary: str, examples: Sequence[str] = (), **_: Any) -> None:
        super().__init__(
            prog=prog,
            description=summary,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        self._examples = examples

    def format_help(self) -> str:
        """Help that begins with what to type."""
        shown = "".join(f"  {example}\n" for example in self._examples)
        return f"examples:\n{shown}\n{super().format_help()}" if shown else super().format_help()

    def error(self, message: str) -> NoReturn:
        """Refuse the command line, with the nearest flag where one is near."""
        unknown = UNKNOWN.search(message)
        if unknown:
            flag = unknown[1].split("=")[0]
            near = difflib.get_close_matches(flag, self._option_string_actions, n=1)
            suggestion = f"; did you mean `{near[0]}`?" if near else ""
            message = f"unknown argument `{flag}`{suggestion}"
        raise FlagError(message, hint=f"`{self.prog} --help` lists what it takes")


def add_common_flags(flags: Flags) -> None:
    """Add what every service takes."""
    flags.add_argument("--listen", default="127.0.0.1", metavar="HOST", help="address to listen on")
    add_log_flags(flags)


def add_log_flags(flags: Flags) -> None:
    """Add how the service logs, and which version it is."""
    flags.add_argument("--log-level", choices=LEVELS, default="info", help="least level logged")
    flags.add_argument(
        "--log-format",
        choices=[str(member) for member in LogFormat],
        default=str(LogFormat.TEXT),
        help="how log lines on stderr look",
    )
    flags.add_argument("--version", action="version", version=f"%(prog)s {__version__}")


def port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    if text.isascii() and text.isdigit() and int(text) <= LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is not a port from 0 to {LAST_PORT}")


def positive(text: str) -> int:
    """A count of at least one."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is not a number from 1 to {(1 << 31) - 1}")


def duration(text: str) -> float:
    """Seconds, from ``250ms``, ``60s``, ``5m``, ``1h`` or a bare number of seconds."""
    match = DURATION.fullmatch(text)
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds > 0:
        return seconds
    raise argparse.ArgumentTypeError(f"`{text}` is not a duration such as 250ms, 60s or 5m")
