"""What the page's own modules make of numbers, levels and text is what the terminal makes of them; no browser needed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.daemon.web.assets import read_asset
from prismctl.present.log_levels import level_of
from prismctl.present.text import clean
from prismctl.present.units import (
    render_bytes,
    render_duration,
    render_latency,
    render_percent,
    render_rate,
)
from prismctl.present.wording import ENGINE_TITLES, SYMBOLS, TONES, symbol_of_service
from tests.present.test_log_levels import LINES
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NODE = shutil.which("node")
NUMBERS = [
    *(None, 0, 0.04, 0.3, 4.2, 9.94, 9.96, 45, 59.7, 60, 812, 3599, 3600),
    *(12345, 90061, 1234567, 0.05, 9.949, 999.4, 999.6, 61, 86399, 86400),
]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str, str, Any], list[Any]]:
    """What a function of one of the page's modules answers for each of some values."""
    require(NODE, "node is not there: `make shells` installs it")

    def call(module: str, function: str, values: Any) -> list[Any]:
        for name in ("words", "format", "levels", "clean"):
            asset = read_asset(f"/{name}.js")
            assert asset is not None
            (tmp_path / f"{name}.js").write_bytes(asset.body)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        script = (
            "import { readFileSync } from 'node:fs';"
            f"import {{ {function} }} from './{module}.js';"
            "const given = JSON.parse(readFileSync(0));"
            f"console.log(JSON.stringify(given.map((each) => {function}(each))));"
        )
        (tmp_path / "main.js").write_text(script)
        done = subprocess.run(
            [str(NODE), str(tmp_path / "main.js")],
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    return call


def test_the_words_of_the_page_are_made_of_those_of_the_terminal() -> None:
    asset = read_asset("/words.js")
    assert asset is not None
    lines = [line for line in asset.body.decode().splitlines() if line.startswith("export")]
    words = {
        name.removeprefix("export const "): json.loads(value.removesuffix(";"))
        for name, _, value in (line.partition(" = ") for line in lines)
    }

    assert words["SYMBOLS"] == SYMBOLS
    assert words["TONES"] == {state: tone.value for state, tone in TONES.items()}
    assert words["ENGINES"] == ENGINE_TITLES


@pytest.mark.parametrize(
    ("function", "render", "values"),
    [
        ("renderDuration", render_duration, NUMBERS),
        ("renderRate", render_rate, NUMBERS),
        ("renderPercent", render_percent, NUMBERS),
        (
            "renderLatency",
            render_latency,
            [None, 0, 0.000004, 0.00002, 0.00012, 0.0012, 0.00996, 0.045, 0.9996, 1.3, 75],
        ),
        (
            "renderBytes",
            render_bytes,
            [None, 0, 812, 999, 1000, 1500, 38_400_000, 999_600_000, 1_200_000_000, 24 * 10**9],
        ),
    ],
)
def test_a_number_looked_another_way_in_the_browser(
    ask: Callable[..., list[Any]],
    function: str,
    render: Callable[[Any], str],
    values: list[Any],
) -> None:
    assert ask("format", function, values) == [render(each) for each in values]


def test_a_service_had_another_sign_in_the_browser(ask: Callable[..., list[Any]]) -> None:
    services = [{"state": state, "alarm": alarm} for state in SYMBOLS for alarm in (False, True)]
    signs = ask("format", "symbolOfService", services)
    assert signs == [symbol_of_service(each) for each in services]
    assert len(set(signs)) > len(set(SYMBOLS.values()))


def test_a_line_had_another_level_in_the_browser(ask: Callable[..., list[Any]]) -> None:
    levels = [level_of(line) for line in LINES]

    assert ask("levels", "levelOf", LINES) == [
        None if each is None else int(each) for each in levels
    ]
    assert {*levels} > {None}


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "tab\there",
        "\x1b[31mred\x1b[0m",
        "\x1b[2J\x1b[1;1Hmoved",
        "before \x1b]0;a title\x07 after",
        "before \x1b]8;;http://other/\x1b\\link\x1b]8;;\x1b\\ after",
        "\x1b]52;c;c2VjcmV0",
        "\x90payload\x9c after",
        "\x9b31mred",
        "c1 \x85 and \x80",
        "pay \u202eecalp siht\u202c here",
        "\u2066isolated\u2069 \u200bzero \ufeffwidth \xadsoft",
        "odd\xa0space\u3000s",
        "\u2028line\u2029s\rback\x08",
        "größe ● 日本 \U0001f600",
        "",
    ],
)
def test_what_hides_or_turns_text_around_reached_the_page(
    ask: Callable[..., list[Any]], text: str
) -> None:
    assert ask("clean", "clean", [text]) == [clean(text)]
