"""Pipeline parameters as users write them: -p name=value, -f params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kalecompiler.arguments import parse_arguments
from kalecompiler.diagnostics import UsageError
from kalecompiler.model import Parameter

ALL = (
    Parameter("n", "int", 3),
    Parameter("rate", "float", 0.1),
    Parameter("title", "str", ""),
    Parameter("flag", "bool", False),
    Parameter("items", "list", []),
    Parameter("opts", "dict", {}),
    Parameter("limit", "int", None, optional=True),
    Parameter("note", "str", None, optional=True),
)


def same(found: Any, expected: Any) -> bool:
    """Equal, and of the same types: 1 is not True, 5 is not 5.0."""
    return repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("n=5", 5),
        ("n=-5", -5),
        ("n= 5 ", 5),
        ("n=5.0", 5),
        ("n=1e3", 1000),
        ("n=9007199254740992", 2**53),
        ("rate=5", 5.0),
        ("rate=1e-3", 0.001),
        ("title=", ""),
        ("title= a=b ", " a=b "),
        ("title='quoted'", "'quoted'"),
        ("title=5", "5"),
        ("title=größe {{x}}\n", "größe {{x}}\n"),
        ("note=None", "None"),
        *((f"flag={text}", True) for text in ("true", "True", "1", "yes")),
        *((f"flag={text}", False) for text in ("false", "False", "0", "no")),
        ('items=[1, 2.5, "a", true]', [1, 2.5, "a", True]),
        ("items=[1, 'a', True]", [1, "a", True]),
        ("items=[a, b c]", ["a", "b c"]),
        ("items=[]", []),
        ('opts={"a": [1, {"b": 2}]}', {"a": [1, {"b": 2}]}),
        ("opts={'a': -1}", {"a": -1}),
        ("opts={a: 1, b: x}", {"a": 1, "b": "x"}),
        ("limit=7", 7),
    ],
)
def test_a_value_is_typed_as_declared(spec: str, expected: object) -> None:
    name = spec.partition("=")[0]
    assert same(parse_arguments([spec], None, ALL), {name: expected})


@pytest.mark.parametrize("spec", ["limit=None", "limit=null", "limit="])
def test_none_leaves_an_optional_parameter_out(spec: str) -> None:
    assert parse_arguments([spec], None, ALL) == {}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("n", "`-p n` has no value: write `-p n=VALUE`"),
        ("m=1", "there is no parameter `m`: there are `flag`, `items`, `limit`, `n`, `note`, `opts`, `rate`, `title`"),
        ("titel=x", "there is no parameter `titel`: did you mean `title`?"),
        ("=1", "there is no parameter ``: there are `flag`, `items`, `limit`, `n`, `note`, `opts`, `rate`, `title`"),
        ("n=abc", "the parameter `n` is an integer (int), which `abc` is not; write for example `n=5`"),
        ("n=5.5", "the parameter `n` is an integer (int), which `5.5` is not; write for example `n=5`"),
        ("n=None", "the parameter `n` is an integer (int), which `None` is not; write for example `n=5`"),
        ("n=nan", "the parameter `n` is an integer (int), which `nan` is not; write for example `n=5`"),
        (
            "n=9007199254740993",
            "the parameter `n` is an integer (int), which `9007199254740993` is not: "
            "KFP cannot carry an integer beyond 2**53; write for example `n=5`",
        ),
        ("rate=fast", "the parameter `rate` is a number (float), which `fast` is not; write for example `rate=0.1`"),
        (
            "rate=nan",
            "the parameter `rate` is a number (float), which `nan` is not: KFP cannot carry nan; "
            "write for example `rate=0.1`",
        ),
        (
            "flag=maybe",
            "the parameter `flag` is true or false (bool), which `maybe` is not; write for example `flag=true`",
        ),
        ("items=5", "the parameter `items` is a list (list), which `5` is not; write for example `items=[1, 2]`"),
        ("items=[1", "the parameter `items` is a list (list), which `[1` is not; write for example `items=[1, 2]`"),
        (
            'opts={1: "a"}',
            'the parameter `opts` is a mapping (dict), which `{1: "a"}` is not: '
            'KFP cannot carry a key that is no text; write for example `opts={"key": 1}`',
        ),
        (
            "title=\udcff",
            "the parameter `title` is text (str), which `\\udcff` is not: KFP cannot carry half of a surrogate pair; "
            "write for example `title=text`",
        ),
    ],
)
def test_what_is_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments([spec], None, ALL)
    assert str(caught.value) == message
    assert caught.value.status == 2


@pytest.mark.parametrize(
    "text",
    [
        "n=" + "9" * 5000,
        "items=" + "[" * 100_000,
        "items={1, 2}",
        "opts={'a': b'x'}",
        "items=[2020-01-01]",
        "items=*a",
        "opts={[]: 1}",
    ],
    ids=["long number", "deep", "set", "bytes", "date", "yaml alias", "a list as a key"],
)
def test_odd_values_are_refused_in_one_short_message(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments([text], None, ALL)
    assert len(str(caught.value)) < 250


def test_nothing_in_a_value_is_executed(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        parse_arguments([f"items=[open({str(tmp_path / 'x')!r}, 'w')]()"], None, ALL)
    with pytest.raises(UsageError):
        parse_arguments(["items=!!python/object/apply:os.getcwd []"], None, ALL)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "p.yaml",
            "n: 5\nrate: 1e-3\nflag: yes\nitems: [1, a]\nopts:\n  a: 1\n",
            {"n": 5, "rate": 0.001, "flag": True, "items": [1, "a"], "opts": {"a": 1}},
        ),
        ("p.json", '{"n": 5.0, "rate": 2, "title": "x"}', {"n": 5, "rate": 2.0, "title": "x"}),
        ("p.yaml", "", {}),
        ("p.yaml", "limit: null\nnote: ~\n", {}),
        ("p.yaml", "\ufefftitle: 'é'\n", {"title": "é"}),
    ],
    ids=["yaml", "json", "empty", "none is left out", "byte order mark"],
)
def test_a_parameter_file(tmp_path: Path, name: str, text: str, expected: object) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert same(parse_arguments([], path, ALL), expected)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("n: 5\nlimit: 3\ntitle: x\n", encoding="utf-8")
    found = parse_arguments(["n=6", "limit =None", "n=7"], path, ALL)
    assert found == {"n": 7, "title": "x"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.yaml", "titel: x", "there is no parameter `titel`: did you mean `title`?"),
        ("p.yaml", "[1]", "is a list: it must map names to values"),
        ("p.yaml", "a: [", "is not valid: "),
        ("p.json", "{", "is not valid: "),
        ("p.yaml", "title: 1.10", "the parameter `title` is text (str), which `1.1` is not: quote it in the file"),
        ("p.yaml", "title: 2020-01-01", "is not: quote it in the file"),
        ("p.yaml", "flag: 1", "the parameter `flag` is true or false (bool), which `1` is not"),
        ("p.yaml", "n: true", "the parameter `n` is an integer (int), which `True` is not"),
        ("p.yaml", "n: null", "the parameter `n` is an integer (int), which `None` is not"),
        ("p.yaml", "opts: {1: 2}", "KFP cannot carry a key that is no text"),
        ("p.json", '{"rate": NaN}', "KFP cannot carry nan"),
        ("p.json", f'{{"rate": {"9" * 400}}}', "the parameter `rate` is a number (float), which `9999"),
    ],
)
def test_parameter_files_that_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        parse_arguments([], path, ALL)
    assert message in str(caught.value)


def test_a_parameter_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the parameter file .*/none.yaml cannot be read: No such file or directory"):
        parse_arguments([], tmp_path / "none.yaml", ALL)
    (tmp_path / "latin.yaml").write_bytes(b"title: \xff")
    with pytest.raises(UsageError, match=r"latin.yaml is not valid: "):
        parse_arguments([], tmp_path / "latin.yaml", ALL)


def test_a_notebook_without_parameters() -> None:
    with pytest.raises(UsageError, match="there is no parameter `n`: there is none"):
        parse_arguments(["n=1"], None, ())
