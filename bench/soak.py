"""The memory of a watched stack over a long flood of log lines: what is bounded stays flat, minute after minute.

Not part of `make bench`, which nobody would wait an hour for: ``python bench/soak.py [MINUTES]``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from dashboard import LINES_A_SECOND, drain, leave, open_dashboard, start_flood
from measuring import fresh_home, processes_of, pss_mebibytes
from web_page import page

if TYPE_CHECKING:
    from pathlib import Path

WARM_SECONDS: Final = 90.0
"""After this the rings are full: the dashboard's, the daemon's and the files of the logs."""
ROW: Final = "{:>8}  {:>11}  {:>18}  {:>14}"


def soak(home: Path, minutes: int) -> None:
    """Watch a flood on the terminal and in a page, and print what each has in memory, a dozen times."""
    start_flood(home)
    dashboard = open_dashboard(home)
    dashboard.expect("of a flood")
    with page(home):
        drain(dashboard, WARM_SECONDS)
        print(ROW.format("minute", "dashboard", "keeper and daemon", "log files"), flush=True)
        step = max(1, minutes // 12)
        for minute in range(0, minutes + 1, step):
            if minute:
                drain(dashboard, step * 60.0)
            print(
                ROW.format(
                    minute,
                    f"{pss_mebibytes([int(dashboard.pid or 0)]):.1f} MiB",
                    f"{pss_mebibytes(list(processes_of(home))):.1f} MiB",
                    f"{kept_mebibytes(home):.0f} MiB",
                ),
                flush=True,
            )
    leave(dashboard)


def kept_mebibytes(home: Path) -> float:
    """What the files of all logs have on the disk."""
    return sum(file.stat().st_size for file in home.rglob("*.log*") if file.is_file()) / (1 << 20)


def main() -> None:
    """Print a row now and then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=int, default=60)
    minutes = parser.parse_args().minutes
    print(f"{LINES_A_SECOND:,} log lines a second, a terminal dashboard and a page open")
    with fresh_home() as home:
        soak(home, minutes)


if __name__ == "__main__":
    main()
