"""One order for a graph: what is needed first, and otherwise as it was given."""

from __future__ import annotations

import graphlib

import pytest

from kalecompiler.topology import above, in_order


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"b": [], "a": []}, ["b", "a"], id="no edges: as given"),
        pytest.param({"c": ["a"], "b": [], "a": []}, ["b", "a", "c"], id="one that stands above what it needs"),
        pytest.param({"a": ["d"], "b": [], "c": ["b"], "d": []}, ["b", "c", "d", "a"], id="the first that can"),
        pytest.param({"a": [], "b": ["a", "a"]}, ["a", "b"], id="an edge given twice"),
    ],
)
def test_order(needs: dict[str, list[str]], order: list[str]) -> None:
    assert in_order(needs) == order


def test_a_circle_has_no_order() -> None:
    with pytest.raises(graphlib.CycleError):
        in_order({"a": ["b"], "b": ["a"]})


def test_what_stands_above() -> None:
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": ["a", "d"]}
    found = {key: above(key, lambda one: needs[one]) for key in needs}
    assert found == {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a", "d"}}
