"""The picker on a screen: what keys and the mouse do, and what is drawn."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events

from prismctl.domain.host_port import HostPort
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import Place
from prismctl.domain.selection import Layer, default_layer, preset_layer
from prismctl.domain.service import ServiceDefinition, ServiceName, ServiceType
from prismctl.tui.picker.app import PickerApp
from prismctl.tui.picker.doing import Doing
from prismctl.tui.picker.preview import Preview, ServicePreview
from prismctl.tui.picker.screen import KEYS
from prismctl.tui.picker.state import begin

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion
    from textual.pilot import Pilot

    from prismctl.tui.picker.doing import Picked

CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
POINTS = [default_layer(CATALOG), preset_layer(PRESETS["redis"]), preset_layer(PRESETS["full"])]


def preview_of(picked: Picked) -> Preview:
    names = picked.services
    return Preview(
        engine="Nomad",
        services={
            name: ServicePreview(
                "native", "no image registry" if name == "redis" else "", (HostPort(1000),)
            )
            for name in names
        },
        startup="about 2.6-3.4 s",
        memory_bytes=200_000_000 * len(names),
        free_bytes=24_000_000_000,
    )


class Saved:
    """Takes what is saved in place of a home."""

    def __init__(self) -> None:
        self.profiles: dict[str, tuple[ServiceName, ...]] = {}

    def save(self, name: str, picked: Picked) -> str:
        self.profiles[name] = picked.services
        return f"saved {name}"


def make_app(catalog: Catalog = CATALOG, saved: Saved | None = None) -> PickerApp:
    doing = Doing(look=preview_of, save=(saved or Saved()).save)
    points = POINTS if catalog is CATALOG else [default_layer(catalog)]
    return PickerApp(begin(catalog, points), doing, stack="default")


async def settle(pilot: Pilot[Picked]) -> None:
    """Until nothing is drawn or found out any more."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def text_of(app: PickerApp) -> str:
    """What is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (60, 18), (40, 12)])
async def test_it_opens_and_fits(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        text = text_of(app)
        assert max(map(len, text.splitlines())) <= size[0]
        assert "memstore" in text
        assert text == snapshot


async def test_what_is_different_about_a_service_is_told_while_the_cursor_is_on_it() -> None:
    def look(picked: Picked) -> Preview:
        words = {ServiceName("redis"): "memory_mb 64 (team.yaml:7)"}
        return replace(preview_of(picked), explain=lambda name: words.get(name, ""))

    app = PickerApp(begin(CATALOG, POINTS), Doing(look=look, save=Saved().save), stack="default")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "team.yaml" not in text_of(app)
        await pilot.press("j")
        assert text_of(app).splitlines()[21] == "redis: memory_mb 64 (team.yaml:7)"
        await pilot.press("j")
        assert "team.yaml" not in text_of(app)


async def test_the_file_of_a_profile_is_told() -> None:
    place = Place("~/.prism/profiles/team.yaml")
    points = [Layer("profile team", ("nats",), place=place)]
    app = PickerApp(begin(CATALOG, points), Doing(look=preview_of, save=Saved().save), stack="x")
    async with app.run_test(size=(80, 24)):
        assert "profile team (~/.prism/profiles/team.yaml) · stack x" in text_of(app)
        assert app.picked.profile == "team"


async def test_space_takes_in_and_enter_decides() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("j", "space", "enter")
    assert app.return_value is not None
    assert set(app.return_value.services) == {
        "prism-admin", "pattern-launcher", "memstore", "redis",
    }  # fmt: skip
    assert app.return_value.profile == ""


async def test_a_profile_that_is_taken_counts_with_its_settings() -> None:
    points = [*POINTS, Layer("profile team", ("nats",))]
    app = PickerApp(begin(CATALOG, points), Doing(look=preview_of, save=Saved().save), stack="x")
    async with app.run_test() as pilot:
        await pilot.press("p", "p", "p")
        assert "--profile=team" in text_of(app)
        await pilot.press("enter")
    assert app.return_value is not None
    assert app.return_value.profile == "team"


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
async def test_leaving_starts_nothing(key: str) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("space", key)
    assert app.return_value is None
    assert app.return_code == 0


async def test_the_bottom_line_is_the_command_and_c_copies_it() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("p")
        assert "$ prismctl dev start --preset=redis" in text_of(app)
        await pilot.press("c")
        await pilot.pause()
        assert app.clipboard == "prismctl dev start --preset=redis"


async def test_finding_narrows_the_list_and_escape_shows_all_again() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("slash", *"kaf")
        await settle(pilot)
        assert "redis" not in text_of(app)
        assert "kafka" in text_of(app)
        await pilot.press("enter", "space")
        assert "kafka" in app.state.picking.selected
        await pilot.press("escape")
        await settle(pilot)
        assert "redis" in text_of(app)


async def test_letters_that_are_typed_to_find_do_nothing_else() -> None:
    saved = Saved()
    app = make_app(saved=saved)
    async with app.run_test() as pilot:
        await pilot.press("slash", *"saqpc", "space")
        assert app.state.words == "saqpc "
        assert app.is_running
    assert saved.profiles == {}


async def test_s_saves_under_a_name_and_says_so() -> None:
    saved = Saved()
    app = make_app(saved=saved)
    async with app.run_test() as pilot:
        await pilot.press("s", *"mine", "enter")
        await settle(pilot)
        assert "saved mine" in text_of(app)
    assert saved.profiles == {"mine": ("prism-admin", "pattern-launcher", "memstore")}


async def test_a_name_that_is_not_given_saves_nothing() -> None:
    saved = Saved()
    app = make_app(saved=saved)
    async with app.run_test() as pilot:
        await pilot.press("s", *"mine", "escape", "s", "enter")
        await settle(pilot)
        assert app.is_running
    assert saved.profiles == {}


async def test_the_mouse_takes_in_and_out() -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        line = next(
            number for number, text in enumerate(text_of(app).splitlines()) if " redis " in text
        )
        await pilot.click(offset=(10, line))
        assert "redis" in app.state.picking.selected
        await pilot.click(offset=(10, line))
        assert "redis" not in app.state.picking.selected


async def test_help_shows_the_keys(snapshot: SnapshotAssertion) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        assert text_of(app) == snapshot
        await pilot.press("escape")
        assert app.is_running


async def test_the_cursor_stays_in_view_wherever_it_goes_and_however_small_it_gets() -> None:
    many = {
        name: ServiceDefinition(name=name, type=ServiceType.APPLICATION, command=("true",))
        for name in (ServiceName(f"service-{number:03d}") for number in range(300))
    }
    app = make_app(Catalog(services={**PACKAGED, **many}, file="own.yaml"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        await settle(pilot)
        assert "service-299" in text_of(app)
        await pilot.resize_terminal(60, 14)
        await settle(pilot)
        assert "service-299" in text_of(app)
        await pilot.press("g")
        await settle(pilot)
        assert "prism-admin" in text_of(app)


async def test_keys_are_answered_while_a_preview_takes_long() -> None:
    looking, may_end = threading.Event(), threading.Event()

    def look(picked: Picked) -> Preview:
        looking.set()
        assert may_end.wait(20)
        return preview_of(picked)

    app = PickerApp(begin(CATALOG, POINTS), Doing(look=look, save=Saved().save), stack="two")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert looking.wait(20)
        await pilot.press("j", "space")
        assert "redis" in app.state.picking.selected
        assert "looking…" in text_of(app)
        assert "stack two" in text_of(app)
        may_end.set()
        await settle(pilot)
        await settle(pilot)
        assert "about 2.6-3.4 s" in text_of(app)


async def test_a_preview_that_comes_while_the_picker_is_left_is_let_go() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        await app.query("#foot").remove()
        app.post_message(app.Looked(app.picked, preview_of(app.picked)))
        await pilot.pause()
        assert app.is_running


async def test_a_service_with_strange_words_draws_no_escape() -> None:
    strange = ServiceDefinition(
        name=ServiceName("odd"), command=("true",), description="\x1b[31mred\x07 \u202eevil"
    )
    app = make_app(Catalog(services={**PACKAGED, strange.name: strange}, file="own.yaml"))
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        text = text_of(app)
    assert "odd" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


def crowded(picked: Picked) -> Preview:
    """More than fits beside a list on most screens."""
    reasons = {
        name: ServicePreview("native", "no image registry is configured", (HostPort(1000),))
        for name in picked.services
    }
    return replace(
        preview_of(picked),
        services=reasons,
        conflicts=["port 6379 (redis) is in use by PID 4242, redis-server"],
        images=["docker.io/library/redis:7.4"],
        startup="about 2.6-8.4 s (a first guess: nothing of it was started here yet)",
    )


def crowded_app() -> PickerApp:
    return PickerApp(begin(CATALOG, POINTS), Doing(look=crowded, save=Saved().save), stack="x")


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (60, 18), (40, 12)])
async def test_a_port_that_somebody_has_is_in_view_with_who(
    size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    app = crowded_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert "port 6379" in text_of(app)
        assert text_of(app) == snapshot


@pytest.mark.parametrize("size", [(80, 24), (60, 18), (40, 12)])
async def test_what_of_the_preview_does_not_fit_is_counted_and_can_be_seen(
    size: tuple[int, int],
) -> None:
    app = crowded_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        first = text_of(app)
        assert "more: m" in first
        seen = first
        while "more: m" in text_of(app):
            await pilot.press("m")
            seen += text_of(app)
        assert "redis:7.4" in seen
        assert "no image registry" in seen
        assert "redis-server" in seen
        await pilot.press("m")
        assert text_of(app) == first


@pytest.mark.parametrize("size", [(80, 24), (110, 14), (60, 18), (40, 12)])
async def test_the_wheel_moves_the_preview_and_not_the_list(size: tuple[int, int]) -> None:
    app = crowded_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        first = text_of(app)
        assert "more: m" in first
        region = app.query_one("#preview").region
        over_it = (region.x + 1, region.y)
        listed = app.query_one("#services").scroll_offset
        seen = first
        while "more: m" in text_of(app):
            before = text_of(app)
            await pilot._post_mouse_events([events.MouseScrollDown], offset=over_it)
            assert text_of(app) != before
            seen += text_of(app)
        assert "no image registry" in seen
        assert "redis-server" in seen
        last = text_of(app)
        await pilot._post_mouse_events([events.MouseScrollDown], offset=over_it)
        assert text_of(app) == last
        assert app.query_one("#services").scroll_offset == listed
        while text_of(app) != first:
            before = text_of(app)
            await pilot._post_mouse_events([events.MouseScrollUp], offset=over_it)
            assert text_of(app) != before


async def test_the_wheel_over_the_list_leaves_the_preview_alone() -> None:
    app = crowded_app()
    async with app.run_test(size=(60, 18)) as pilot:
        await settle(pilot)
        shown = [line for line in text_of(app).splitlines() if "more: m" in line]
        for turn in (events.MouseScrollDown, events.MouseScrollDown, events.MouseScrollUp):
            await pilot._post_mouse_events([turn], offset=(5, 4))
        assert [line for line in text_of(app).splitlines() if "more: m" in line] == shown


async def test_the_preview_is_as_wide_as_the_screen_again_after_that_was_narrow() -> None:
    app = crowded_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = text_of(app)
        await pilot.resize_terminal(40, 24)
        await settle(pilot)
        assert text_of(app) != before
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert text_of(app) == before


async def test_the_keys_can_all_be_seen_on_a_small_screen() -> None:
    app = make_app()
    async with app.run_test(size=(40, 12)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        seen = text_of(app)
        while "more: m" in text_of(app):
            await pilot.press("m")
            seen += text_of(app)
        assert all(f"  {key} " in seen for key, _ in KEYS), seen
        await pilot.press("question_mark")
        await settle(pilot)
        assert "memstore" in text_of(app)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(["slash", *"kaf"], id="find"),
        pytest.param(["slash", *"zzzz"], id="nothing found"),
        pytest.param(["s", *"mine"], id="save"),
        pytest.param(["j", "j", "space", "p", "s", *"mine", "enter"], id="message"),
        pytest.param(["g", "space"], id="locked"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_what_somebody_sees_while_asked_and_told(
    size: tuple[int, int], keys: list[str], snapshot: SnapshotAssertion
) -> None:
    where = "saved as ~/.prism/profiles/mine.yaml; `prismctl dev start --profile=mine` starts it"
    doing = Doing(look=preview_of, save=lambda *_: where)
    app = PickerApp(begin(CATALOG, POINTS), doing, stack="default")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)
        assert text_of(app) == snapshot


async def test_a_name_that_is_typed_in_one_go_with_its_key_is_a_name() -> None:
    saved = Saved()
    app = make_app(saved=saved)
    async with app.run_test() as pilot:
        await settle(pilot)
        before = app.state.picking
        # As a terminal does it: all are there before the first is answered.
        for key in ["s", *"a q p", "enter"]:
            app.post_message(
                events.Key({" ": "space"}.get(key, key), key if len(key) == 1 else None)
            )
        await settle(pilot)
        await settle(pilot)
        assert app.is_running
    assert list(saved.profiles) == ["a q p"]
    assert app.state.picking == before
