from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.dependencies import (
    close_over,
    find_cycle,
    render_cycle,
    sort_by_dependency,
    start_levels,
)

LETTERS = "abcdefghij"


@st.composite
def acyclic(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]]]:
    """Names in any order; each depends only on names before it in a hidden order."""
    hidden = draw(st.permutations(LETTERS))
    size = draw(st.integers(0, len(hidden)))
    hidden = hidden[:size]
    depends_on = {
        name: draw(st.lists(st.sampled_from(hidden[:index]), unique=True)) if index else []
        for index, name in enumerate(hidden)
    }
    return draw(st.permutations(hidden)), depends_on


@given(acyclic())
def test_each_service_starts_after_what_it_depends_on(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    names, depends_on = graph
    order = sort_by_dependency(names, depends_on)
    assert sorted(order) == sorted(names)
    position = {name: index for index, name in enumerate(order)}
    for name, targets in depends_on.items():
        for target in targets:
            assert position[target] < position[name]


@given(acyclic())
def test_an_order_is_stable(graph: tuple[list[str], dict[str, list[str]]]) -> None:
    names, depends_on = graph
    order = sort_by_dependency(names, depends_on)
    assert sort_by_dependency(order, depends_on) == order


@given(acyclic(), st.data())
def test_a_closure_is_closed_and_holds_nothing_needless(
    graph: tuple[list[str], dict[str, list[str]]], data: st.DataObject
) -> None:
    names, depends_on = graph
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    closed = close_over(chosen, depends_on)
    for name in closed:
        assert set(depends_on[name]) <= set(closed)
    for name, needed_by in closed.items():
        assert (needed_by is None) == (name in chosen)
        if needed_by is not None:
            assert name in depends_on[needed_by]
    assert close_over(closed, depends_on).keys() == closed.keys()


@given(acyclic())
def test_no_cycle_is_found_where_there_is_none(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    assert find_cycle(graph[1]) == []


@given(st.dictionaries(st.sampled_from(LETTERS), st.lists(st.sampled_from(LETTERS), unique=True)))
def test_what_cannot_be_ordered_has_a_cycle_whose_every_step_is_an_edge(
    depends_on: dict[str, list[str]],
) -> None:
    names = list(depends_on)
    inside = {name: [each for each in depends_on[name] if each in depends_on] for name in names}
    cycle = find_cycle(inside)
    if not cycle:
        sort_by_dependency(names, depends_on)
        return
    assert cycle[0] == cycle[-1]
    for name, target in pairwise(cycle):
        assert target in inside[name]
    with pytest.raises(ValueError, match=r"in a circle: \w( → \w)+$"):
        sort_by_dependency(names, depends_on)


@given(acyclic())
def test_levels_put_everything_below_what_needs_it(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    names, depends_on = graph
    levels = start_levels(names, depends_on)
    level_of = {name: level for level, group in enumerate(levels) for name in group}
    assert sorted(level_of) == sorted(names)
    for name, targets in depends_on.items():
        assert level_of[name] == 1 + max((level_of[target] for target in targets), default=-1)


def test_ties_keep_the_order_of_the_catalog() -> None:
    assert sort_by_dependency(["c", "a", "b"], {}) == ["c", "a", "b"]


def test_a_cycle_is_told_as_a_path() -> None:
    cycle = find_cycle({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]})
    assert render_cycle(cycle).endswith("in a circle: a → b → c → a")


def test_a_service_that_needs_itself_is_a_cycle() -> None:
    assert find_cycle({"a": ["a"]}) == ["a", "a"]


def test_a_long_chain_is_no_burden() -> None:
    names = [f"s{index}" for index in range(3000)]
    depends_on = {name: names[index - 1 : index] for index, name in enumerate(names)}
    assert sort_by_dependency(names, depends_on) == names
