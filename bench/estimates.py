"""How true estimates are: real starts, each compared with what was foretold right before it.

``python bench/estimates.py --runs 20 --preset minimal --engine local`` makes the starts and prints each of them; nine
of ten shall fall into the range once there are five, and no range is wider than ±40 %. That is for a machine that has nothing
else to do: the pressure on its processors is told with each start (Linux), because where others take turns at using all of
them, one start takes several times as long as the next.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from measuring import Figure, fresh_home, prismctl, status

ENOUGH_STARTS = 5
"""So many starts come before the first that is judged."""
TARGET_PERCENT = 90.0


class Judged(NamedTuple):
    """One start and what was said of it before."""

    low: float
    high: float
    typical: float
    seconds: float

    @property
    def is_inside(self) -> bool:
        """Whether the range held it."""
        return self.low <= self.seconds <= self.high

    @property
    def width_percent(self) -> int:
        """How far the range goes from what is typical; the document has rounded all three."""
        return round(100 * max(self.high - self.typical, self.typical - self.low) / self.typical)


def judge_starts(home: Path, runs: int, flags: list[str]) -> list[Judged]:
    """Start and stop as often as is wanted; what was foretold of each start, and what it took."""
    judged = []
    for number in range(1, runs + 1):
        start = ("dev", "start", "--no-dashboard", "--auto-ports", *flags)
        told = json.loads(prismctl(home, *start, "--dry-run", "-o", "json").stdout)["estimate"]
        prismctl(home, *start, "-q")
        seconds = status(home)["ready_seconds"]
        prismctl(home, "dev", "stop", "-q")
        each = Judged(told["low_seconds"], told["high_seconds"], told["typical_seconds"], seconds)
        is_early = not told["measured"]
        word = "not judged" if is_early else "inside" if each.is_inside else "OUTSIDE"
        print(
            f"{number:>3}  {each.low:.2f}-{each.high:.2f} s  ±{each.width_percent:.0f} %"
            f"  took {seconds:.2f} s  {word}{read_pressure()}",
            flush=True,
        )
        if not is_early:
            judged.append(each)
    return judged


def read_pressure() -> str:
    """How much of the last ten seconds something waited for a processor, in words; nothing where nobody counts that."""
    try:
        words = Path("/proc/pressure/cpu").read_text(encoding="ascii").split()
    except OSError:
        return ""
    return f"  processors wanted {words[1].removeprefix('avg10=')} % of the time"


def bench_estimates(runs: int, flags: list[str]) -> list[Figure]:
    """How many starts fell into their range, and how wide the ranges were."""
    with fresh_home() as home:
        judged = judge_starts(home, runs, flags)
    what = " ".join(flags) or "what starts by default"
    share = 100 * sum(each.is_inside for each in judged) / len(judged) if judged else 0.0
    return [
        Figure(
            what=f"starts within their range, {what}",
            unit="%",
            target=TARGET_PERCENT,
            samples=(share,) if judged else (),
            is_more_better=True,
            remark=f"{len(judged)} starts",
        ),
        Figure(
            what=f"width of the range, {what}",
            unit="± %",
            target=40.0,
            samples=tuple(each.width_percent for each in judged),
        ),
    ]


def main() -> None:
    """Make the starts that were asked for; what is not known here goes to ``start``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=ENOUGH_STARTS + 20)
    arguments, flags = parser.parse_known_args()
    for figure in bench_estimates(arguments.runs, flags):
        print(figure.render())


if __name__ == "__main__":
    main()
