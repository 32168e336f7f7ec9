"""The screen that is there before Textual is: drawn as Textual draws it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.picking import command_words
from prismctl.domain.presets import PRESETS
from prismctl.domain.selection import default_layer, preset_layer
from prismctl.domain.service import ServiceDefinition, ServiceName
from prismctl.present.colours import COLOURLESS_SGR, SGR
from prismctl.present.text import Span, Tone, line, plain
from prismctl.tui.first_frame import Cell, render_frame
from prismctl.tui.looks import COLOURLESS, STYLES
from prismctl.tui.picker.app import PickerApp
from prismctl.tui.picker.doing import Doing
from prismctl.tui.picker.preview import Preview
from prismctl.tui.picker.screen import frame_lines
from prismctl.tui.picker.state import begin

if TYPE_CHECKING:
    from prismctl.tui.first_frame import FrameLine
    from prismctl.tui.picker.doing import Picked

SHIPPED = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
MANY = Catalog(
    services={
        **PACKAGED,
        **{
            name: ServiceDefinition(name=name, command=("true",), description="does 日本語 things")
            for name in (ServiceName(f"service-{number:02d}") for number in range(40))
        },
    },
    file="own.yaml",
)
SIZES = [(80, 24), (120, 30), (100, 24), (101, 40), (99, 50), (60, 18), (40, 12), (200, 60)]


def text_of(lines: list[FrameLine]) -> list[str]:
    return ["".join(words_of(cell) for cell in cells).rstrip() for cells in lines]


def words_of(cell: Cell) -> str:
    """As a terminal shows them, wide characters over two columns."""
    drawn = render_frame([(Cell((*cell.words,), cell.width),)], has_colour=False)
    return drawn.removeprefix("\x1b[1;1H").removesuffix("\x1b[K\x1b[J").replace("\x1b[1m", "").replace(
        "\x1b[2m", ""
    ).replace("\x1b[0m", "")  # fmt: skip


def is_scroll_bar(character: str) -> bool:
    """What Textual draws in the list's last column, and a first frame leaves empty."""
    return "▁" <= character <= "█"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("catalog", [SHIPPED, MANY], ids=["few", "many"])
async def test_the_picker_looks_the_same_before_and_after_it_is_loaded(
    size: tuple[int, int], catalog: Catalog
) -> None:
    may_end = threading.Event()

    def look(_: Picked) -> Preview:
        assert may_end.wait(30)
        return Preview(services={})

    state = begin(catalog, [default_layer(catalog), preset_layer(PRESETS["redis"])])
    doing = Doing(look=look, save=lambda name, _: name)
    app = PickerApp(state, doing, stack="two")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        drawn = [strip.text for strip in app.screen._compositor.render_strips()]
        may_end.set()
    shown = ["".join(" " if is_scroll_bar(each) else each for each in text) for text in drawn]
    width, height = size
    command = command_words(state.picking)
    frame = frame_lines(state, stack="two", command=command, width=width, height=height)
    assert text_of(frame) == [text.rstrip() for text in shown]


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (10, 5), (120, 4), (3, 30)])
def test_a_terminal_too_small_for_it_gets_what_fits(size: tuple[int, int]) -> None:
    width, height = size
    state = begin(SHIPPED, [default_layer(SHIPPED)])
    frame = frame_lines(state, stack="default", command=("x",), width=width, height=height)
    assert len(frame) == height
    assert all(sum(cell.width for cell in cells) <= max(width, 0) for cells in frame)


@pytest.mark.parametrize("tone", Tone)
def test_a_tone_looks_the_same_as_in_textual(tone: Tone) -> None:
    for looks, sgr in ((STYLES, SGR), (COLOURLESS, COLOURLESS_SGR)):
        rendered = looks[tone].render("x")
        assert rendered == (f"\x1b[{sgr[tone]}mx\x1b[0m" if tone in sgr else "x")


def test_lines_are_drawn_at_their_places_clipped_and_filled() -> None:
    lines = [
        (Cell(line(Span("Title", Tone.STRONG)), 8),),
        (),
        (Cell(line("ab", Span("cdef", Tone.GOOD)), 4, is_under_cursor=True), Cell(line("x"), 2)),
    ]
    assert render_frame(lines, has_colour=True) == (
        "\x1b[1;1H\x1b[1mTitle\x1b[0m   \x1b[K"
        "\x1b[2;1H\x1b[K"
        "\x1b[3;1H\x1b[7mab\x1b[0m\x1b[7;32mc…\x1b[0mx \x1b[K"
        "\x1b[J"
    )


def test_without_colour_the_same_words_are_dim_bold_or_reversed_at_most() -> None:
    lines = [(Cell(line(Span("a", Tone.GOOD), Span("b", Tone.MUTED)), 2, is_under_cursor=True),)]
    assert render_frame(lines, has_colour=False) == (
        "\x1b[1;1H\x1b[7ma\x1b[0m\x1b[7;2mb\x1b[0m\x1b[K\x1b[J"
    )


def test_what_is_shown_is_what_the_lines_say() -> None:
    state = begin(SHIPPED, [default_layer(SHIPPED)])
    frame = frame_lines(state, stack="default", command=("prismctl",), width=80, height=24)
    words = [plain(cell.words) for cells in frame for cell in cells]
    assert any("Prism Stack Builder" in each for each in words)
    assert sum(cell.is_under_cursor for cells in frame for cell in cells) == 1
