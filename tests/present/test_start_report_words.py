from __future__ import annotations

from typing import Any

import pytest

from prismctl.present.start_report import report_headline, report_lines, slower_words
from prismctl.present.text import line_width, plain
from prismctl.present.units import UNKNOWN


def part(
    name: str, seconds: float | None, usual: float | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "type": "service",
        "seconds": seconds,
        "usual_seconds": usual,
        "compared": 0 if usual is None else 10,
        "critical": False,
        "slower": False,
    } | more


REPORT = {
    "ready_seconds": 2.94,
    "usual_seconds": 2.6,
    "compared": 10,
    "critical_path": ["prism-admin", "pattern-launcher"],
    "parts": [
        part("", 1.6, 1.5, type="lead", critical=True),
        part("nomad", 1.3, None, type="agent"),
        part("prism-admin", 0.3, 0.3, critical=True),
        part("pattern-launcher", 1.0, 0.4, critical=True, slower=True),
        part("redis", None),
    ],
}


def test_a_report_says_what_took_how_long_and_what_all_waited_for() -> None:
    shown = "\n".join(plain(each).rstrip() for each in report_lines(REPORT, width=80))
    assert shown == (
        "ready in 2.9 s, usually 2.6 s (10 starts before it)\n"
        "\n"
        "                        took   usual\n"
        "  ▸ plan and engine    1.6 s   1.5 s  ████████████████████\n"
        f"      Nomad            1.3 s       {UNKNOWN}  ████████████████\n"
        "  ▸ prism-admin        0.3 s   0.3 s  ████\n"
        "  ▸ pattern-launcher   1.0 s   0.4 s  ████████████  slower than usual\n"
        f"    redis                  {UNKNOWN}       {UNKNOWN}\n"
        "\n"
        "  ▸ all waited for prism-admin → pattern-launcher"
    )


@pytest.mark.parametrize("width", [20, 40, 59, 60, 100])
def test_a_report_fits(width: int) -> None:
    assert all(line_width(each) <= width for each in report_lines(REPORT, width=width))


def test_what_was_slower_is_said_in_one_line() -> None:
    assert slower_words(REPORT) == "pattern-launcher took 1.0 s instead of 0.4 s"


def test_a_first_start_has_nothing_to_be_compared_with() -> None:
    first = REPORT | {"usual_seconds": None, "compared": 0}
    assert report_headline(first) == "ready in 2.9 s, the first start of this selection here"
