"""What each key makes of what is chosen and listed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.picking import command_words
from prismctl.domain.presets import PRESETS
from prismctl.domain.selection import Layer, default_layer, preset_layer
from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName, ServiceType
from prismctl.present.text import line, plain
from prismctl.tui.picker import state as states
from prismctl.tui.picker.preview import TITLES, Preview, ServicePreview, preview_lines
from prismctl.tui.picker.rows import Widths, fit_columns, fit_of, list_rows, row_line
from prismctl.tui.picker.screen import foot_lines, next_page, page_lines

CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
REDIS, MEMSTORE, ADMIN = ServiceName("redis"), ServiceName("memstore"), ServiceName("prism-admin")


def opened(*points: Layer, catalog: Catalog = CATALOG) -> states.PickerState:
    return states.begin(catalog, points or [default_layer(catalog)])


def at(state: states.PickerState, name: str) -> states.PickerState:
    """With the cursor on a service."""
    index = next(index for index, row in enumerate(state.rows) if row.service == name)
    return replace(state, cursor=index)


def application(name: str, *needs: str, required: bool = False) -> ServiceDefinition:
    return ServiceDefinition(
        name=ServiceName(name),
        command=("true",),
        depends_on=tuple(ServiceName(each) for each in needs),
        required=required,
        tags=("http", "team-a"),
        description="what the shop's page asks",
    )


def with_own(*services: ServiceDefinition) -> Catalog:
    return Catalog(services={**PACKAGED, **{each.name: each for each in services}}, file="own.yaml")


def test_it_opens_with_what_is_offered_first_and_the_cursor_beside_the_core() -> None:
    state = opened(preset_layer(PRESETS["redis"]), default_layer(CATALOG))
    assert REDIS in state.picking.selected
    assert state.service == MEMSTORE
    assert state.origin == "preset redis"


def test_the_cursor_stops_at_the_ends_and_on_no_heading() -> None:
    state = opened()
    assert states.move(state, -100).service == ADMIN
    last = states.move(state, 100)
    assert last.service == [row.service for row in state.rows if row.service][-1]
    seen = {states.move(state, by).service for by in range(-5, 20)}
    assert None not in seen


def test_required_services_say_why_they_stay() -> None:
    state = states.toggle(at(opened(), "prism-admin"))
    assert ADMIN in state.picking.selected
    assert state.message == "prism-admin is required"


def test_a_toggle_says_who_comes_along_and_who_goes() -> None:
    catalog = with_own(application("api", "worker"), application("worker", "redis"))
    state = states.toggle(at(opened(catalog=catalog), "api"))
    assert state.message == "api brings along: redis, worker"
    state = states.toggle(at(state, "redis"))
    assert state.message == "redis goes, and what needs it: api, worker"


def test_what_is_needed_by_something_required_says_by_whom() -> None:
    catalog = with_own(application("gate", "redis", required=True))
    state = states.toggle(at(opened(catalog=catalog), "redis"))
    assert state.message == "redis is needed by gate, which is required"


def test_what_was_chosen_last_keeps_the_profile_that_it_started_from() -> None:
    profile = Layer("profile team", ["nats"])
    last = Layer("as last time", ["prism-admin", "pattern-launcher", "nats", "redis"], base=profile)
    state = opened(last, default_layer(CATALOG))
    assert state.profile == profile
    words = command_words(state.picking, profile=state.profile)
    assert words == ("prismctl", "dev", "start", "--profile=team", "--with-redis")
    assert states.take_next_point(state).profile is None


def test_presets_and_profiles_go_round() -> None:
    points = (
        default_layer(CATALOG),
        Layer("profile team", ["nats"]),
        preset_layer(PRESETS["full"]),
    )
    state = opened(*points)
    state = states.take_next_point(state)
    assert state.message == "profile team"
    assert "nats" in state.picking.selected
    state = states.take_next_point(states.take_next_point(state))
    assert state.picking == opened(*points).picking


def test_a_group_goes_in_and_out_as_far_as_it_is_listed() -> None:
    state = at(opened(), "nats")
    state = states.toggle_group(state)
    assert {"nats", "kafka"} <= state.picking.selected.keys()
    assert not {"nats", "kafka"} & states.toggle_group(state).picking.selected.keys()
    found = states.toggle_group(states.look_for(opened(), "kaf"))
    assert "kafka" in found.picking.selected
    assert "nats" not in found.picking.selected


@pytest.mark.parametrize(
    ("words", "first"),
    [("red", "redis"), ("pg", "postgres"), ("xq", None), ("pstg", "postgres"), ("sql", "postgres")],
)
def test_looking_for_something_lists_what_fits_best_first(words: str, first: str | None) -> None:
    state = states.look_for(opened(), words)
    assert state.service == first


def test_every_word_has_to_fit_somewhere() -> None:
    definition = application("checkout")
    assert fit_of(definition, "check") == 0
    assert fit_of(definition, "shop team-a") is not None
    assert fit_of(definition, "checkout kafka") is None
    assert fit_of(definition, "") == 0


def test_ending_a_search_keeps_the_cursor_on_its_service() -> None:
    state = states.look_for(states.look_for(opened(), "kafka"), "")
    assert state.service == "kafka"
    assert len(state.rows) == len(list_rows(CATALOG))


def test_nothing_found_is_no_place_for_a_cursor() -> None:
    state = states.look_for(opened(), "zzzz")
    assert state.rows == ()
    for key in (states.toggle, states.toggle_group, lambda each: states.move(each, 1)):
        assert key(state).service is None
    assert states.look_for(state, "").service is not None


def test_a_click_on_a_service_takes_it_and_on_a_heading_does_nothing() -> None:
    state = opened()
    index = next(index for index, row in enumerate(state.rows) if row.service == REDIS)
    assert REDIS in states.click(state, index).picking.selected
    assert states.click(state, 0) == state
    assert states.click(state, 10_000) == state


def test_rows_say_what_is_in_and_why() -> None:
    catalog = with_own(application("api", "redis"))
    state = states.toggle(at(opened(catalog=catalog), "api"))
    told = Preview(services={REDIS: ServicePreview("native", ports=(HostPort(6380),))})
    lines = {
        row.service: plain(
            row_line(row, catalog, state.picking.selected, told, Widths(16, 6))
        ).rstrip()
        for row in state.rows
        if row.service
    }
    assert lines[ADMIN].split() == ["[■]", "prism-admin", ":8981", "required"]
    assert lines[REDIS].split() == ["[+]", "redis", ":6380", "native", "needed", "by", "api"]
    assert lines[ServiceName("api")].split()[:2] == ["[✓]", "api"]
    assert lines[ServiceName("kafka")].split()[:3] == ["[", "]", "kafka"]


def test_a_udp_port_is_shown_as_one_and_the_columns_stay_in_line() -> None:
    udp = PortDefinition(name="dns", number=15353, protocol=PortProtocol.UDP)
    catalog = with_own(replace(application("dns"), ports=(udp,)))
    state = opened(catalog=catalog)
    moved = HostPort(25353, PortProtocol.UDP)
    told = Preview(services={ServiceName("dns"): ServicePreview("native", ports=(moved,))})
    for preview, port in ((None, ":15353/udp"), (told, ":25353/udp")):
        lines = {
            row.service: plain(
                row_line(row, catalog, state.picking.selected, preview, fit_columns(catalog))
            )
            for row in state.rows
            if row.service
        }
        dns, admin = lines[ServiceName("dns")], lines[ADMIN]
        assert dns.split()[3:4] == [port]
        assert dns.index(port) == admin.index(":8981")
        assert admin.index("required") == dns.index(port) + len(port) + 2 + 9 + 2


def test_the_preview_lists_by_type_costs_and_what_is_in_the_way() -> None:
    state = opened(preset_layer(PRESETS["messaging"]))
    preview = Preview(
        engine="Nomad",
        services={REDIS: ServicePreview("native", "no image registry")},
        conflicts=["port 4222 (nats) is in use by PID 1, x"],
        images=["apache/kafka:3.9.1"],
        startup="2.6-3.4 s",
        memory_bytes=2_000_000_000,
        free_bytes=1_000_000_000,
    )
    text = "\n".join(plain(each).rstrip() for each in preview_lines(state.picking, preview, 60))
    assert (
        text
        == """\
  ! port 4222 (nats) is in use by PID 1, x
Will start
  Core           admin, launcher
  Backends       memstore
  Messaging      nats, kafka

  Startup        2.6-3.4 s
  Memory         2.0 GB of 1.0 GB free
  Engine         Nomad

  ↓ pulls apache/kafka:3.9.1
  · redis: native, no image registry"""
    )


def test_every_type_of_service_has_a_heading() -> None:
    assert set(TITLES) == set(ServiceType)


def test_how_an_estimate_is_known_does_not_fill_a_narrow_preview() -> None:
    state = opened(preset_layer(PRESETS["redis"]))
    preview = Preview(
        services={}, startup="about 2-4 s (a first guess: nothing of it was started here yet)"
    )
    narrow = [plain(each).rstrip() for each in preview_lines(state.picking, preview, 40)]
    assert "  Startup        about 2-4 s" in narrow
    assert "first guess" in " ".join(narrow[narrow.index("  Startup        about 2-4 s") + 1 :])
    wide = [plain(each).rstrip() for each in preview_lines(state.picking, preview, 90)]
    assert f"  Startup        {preview.startup}" in wide


@pytest.mark.parametrize("height", [1, 2, 3, 7, 9, 30])
def test_pages_show_every_line_and_lead_back_to_the_top(height: int) -> None:
    lines = [line(f"line {number}") for number in range(12)]
    seen: set[str] = set()
    top = 0
    for _ in range(30):
        shown = [plain(each) for each in page_lines(lines, 40, height, top)]
        assert len(shown) <= height
        seen |= {each.split("  ")[0] for each in shown}
        top = next_page(len(lines), height, top)
        if top == 0:
            break
    assert top == 0
    if height > 1:
        assert {plain(each) for each in lines} <= seen


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_end_of_a_long_command_is_never_cut_off(width: int) -> None:
    command = ("prismctl", "dev", "start", *(f"--without=service-{number}" for number in range(4)))
    state = opened()
    told = "".join(plain(each).strip() for each in foot_lines(state, command, (width, 24)))
    assert "".join(command) in told.replace(" ", "")


def test_the_useful_end_of_a_message_is_not_cut_off() -> None:
    words = "saved as ~/.prism/profiles/mine.yaml; `prismctl dev start --profile=mine` starts it"
    state = replace(opened(), message=words)
    told = [plain(each) for each in foot_lines(state, ("x",), (40, 24))]
    assert all(len(each) <= 40 for each in told)
    assert " ".join(told[2:]) == words


def test_a_selection_that_was_changed_does_not_keep_the_name_of_what_it_started_from() -> None:
    state = at(opened(preset_layer(PRESETS["minimal"])), "redis")
    assert state.origin == "preset minimal"
    changed = states.toggle(state)
    assert changed.origin == "preset minimal, changed"
    assert states.toggle(changed).origin == "preset minimal"


def test_a_profile_with_mistakes_is_told_of_with_the_reason_and_changes_nothing() -> None:
    broken = Layer("profile team", ())
    state = replace(
        opened(default_layer(CATALOG), broken, preset_layer(PRESETS["redis"])),
        unloadable={"profile team": "there is no service `rediss`"},
    )
    told = states.take_next_point(state)
    assert told.message == "profile team cannot be loaded: there is no service `rediss`"
    assert told.origin == "profile team, which cannot be loaded"
    assert told.picking == state.picking
    assert told.profile is None
    assert states.take_next_point(told).origin == "preset redis"
