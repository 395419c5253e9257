"""The names that variables have in KFP."""

from __future__ import annotations

import pytest

from kalecompiler import ports

NAMES = {
    "plain": ("x", "x"),
    "underscores and digits": ("_x_1", "v_x_1"),
    "keyword": ("match_", "match_"),
    "accents": ("größe", "v_groe_d353a267"),
    "no likeness in ASCII": ("变量", "v__a772fa4e"),
}

ASSIGNED = {
    "free": (["x", "y"], "in", [], ["x", "y"]),
    "taken by a parameter": (["x"], "in", ["x"], ["x_in"]),
    "taken twice": (["x"], "out", ["x", "x_out"], ["x_out_2"]),
    "one variable from two steps": (["x", "x", "x"], "in", [], ["x", "x_in", "x_in_2"]),
    "two names with one likeness": (["x", "größe", "grösse"], "out", [], ["x", "v_groe_d353a267", "v_grosse_d179961a"]),
}


@pytest.mark.parametrize("label", NAMES)
def test_ascii_name(label: str) -> None:
    variable, expected = NAMES[label]
    assert ports.ascii_name(variable) == expected
    assert expected.isidentifier() and expected.isascii()


@pytest.mark.parametrize("label", ASSIGNED)
def test_assign(label: str) -> None:
    variables, suffix, taken, expected = ASSIGNED[label]
    assert ports.assign([(v, suffix) for v in variables], taken) == expected


def test_no_port_is_given_twice() -> None:
    wanted = [(v, s) for v in ("x", "y", "größe") for s in ("in", "out", "in")]
    given = ports.assign(wanted, ["y", "y_in"])
    assert len({*given, "y", "y_in"}) == len(wanted) + 2
