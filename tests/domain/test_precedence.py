from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.precedence import DEFAULT, Given, resolve_setting
from prismctl.domain.problems import Place

LAYERS = st.lists(
    st.none() | st.builds(Given, st.integers(), st.sampled_from(["--flag", "profile", "file"])),
    max_size=6,
)


@given(LAYERS)
def test_the_highest_layer_that_says_anything_wins_and_every_other_is_named(
    layers: list[Given | None],
) -> None:
    default = Given(0, DEFAULT)
    setting = resolve_setting("key", [*layers, default])
    said = [layer for layer in [*layers, default] if layer is not None]
    assert Given(setting.value, setting.source, setting.place) == said[0]
    assert list(setting.beaten) == said[1:]
    assert setting.is_default == (said[0].source == DEFAULT)


def test_a_layer_that_says_no_is_heard() -> None:
    place = Place("team.yaml", 3, 1)
    setting = resolve_setting(
        "persist", [Given(value=False, source="profile team", place=place), Given(True, DEFAULT)]
    )
    assert (setting.value, setting.place) == (False, place)


def test_a_key_without_any_value_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no layer has a value for engine"):
        resolve_setting("engine", [None])
