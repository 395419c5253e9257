"""A secret of a step is in no package, no log and no snapshot, whatever the step makes of it; but for what it hands on,
and then it says so."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support import write_notebook
from test_local_settings import SECRET, Run

from kalecompiler import commands
from kalecompiler.local import masking
from kalecompiler.runtime import values, withheld
from kalecompiler.snapshots.store import Store

TEXT = """
# %% imports
import os, sys
# %% step:a snapshot:all preview:5 secret:db:key:DB_VALUE secret-volume:certs:/etc/certs
value = os.environ["DB_VALUE"]
file = open(os.environ["KALE_VOLUME_CERTS"] + "/pem").read().strip()
holder = {"deep": [(value,)]}
wide = value.encode("utf-16")
plain = 5
def closure():
    return lambda: value
late = closure()
os.system("true " + value)
url = f"db://me:{value}@host"
print("log", value, file, file=sys.stderr)
holder
# %% step:b prev:a snapshot:all
got = url + "/table"
print(got)
own = 1
# %% step:c prev:a secret:db:key:DB_VALUE
value = os.environ["DB_VALUE"]
raise ValueError(value)
"""


def places_of(folder: Path, secret: str) -> list[Path]:
    """The files that hold a text, in one of the encodings that values are kept in."""
    texts = [secret.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(text in path.read_bytes() for text in texts)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    outside, work = tmp_path_factory.mktemp("certs"), tmp_path_factory.mktemp("work")
    (outside / "pem").write_text("canary-of-a-file\n", encoding="utf-8")
    (work.parent / "db.env").write_text(f"key={SECRET}\n", encoding="utf-8")
    return Run(work, TEXT, secrets=(f"db={work.parent / 'db.env'}", f"certs={outside}"))


def test_it_is_in_no_file_of_the_run_but_that_of_the_variable_that_is_handed_on(run: Run) -> None:
    assert run.statuses == {"a": "succeeded", "b": "succeeded", "c": "failed"}
    assert run.result.folder is not None
    folder = run.result.folder
    handed_on = (folder / "a" / "url").read_bytes()
    assert SECRET.encode() in handed_on
    others = [p for p in places_of(folder.parents[2], SECRET) if p.read_bytes() != handed_on]
    assert others == []
    assert places_of(folder.parents[2], "canary-of-a-file") == []


ODD = "p@'\"w<o>r&d\\x\ty\u00dc"


@pytest.mark.parametrize(
    "write",
    [
        str,
        repr,
        ascii,
        lambda text: repr({'k"': [text]}),
        lambda text: repr("\"'" + text),
        html.escape,
        lambda text: html.escape(text, quote=False),
        lambda text: html.escape(repr(text)),
        lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;"),
        lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
    ],
    ids=["text", "repr", "ascii", "in a dict", "other quotes", "html", "pandas", "repr in html", "report", "xml"],
)
@pytest.mark.parametrize("carry", [str, json.dumps, lambda text: json.dumps(text, ensure_ascii=False)])
def test_it_is_masked_however_it_is_written(
    tmp_path: Path, write: Callable[[str], str], carry: Callable[[str], str]
) -> None:
    log = tmp_path / "log.txt"
    log.write_text(f"before {carry(write(ODD))} after", "utf-8")
    masking.mask([log], [ODD])
    text = log.read_text("utf-8")
    assert "***" in text
    assert "@" not in text
    assert "w" not in text


def test_the_step_says_what_it_hands_on_and_its_takers_keep_nothing_else(run: Run) -> None:
    assert "'url' holds a secret, and is handed on: read it in each step that needs it" in run.log("a")
    assert run.log("b") == "db://me:***@host/table\n"
    assert "ValueError: ***" in run.log("c")
    assert run.result.folder is not None
    found = Store(run.result.folder.parents[1] / "store").manifests(run.result.run)
    kept = {step: found[step, "after"].variables for step in ("a", "b")}
    lost = {name for name, record in kept["a"].items() if record.error}
    assert lost == {"value", "file", "holder", "wide", "late"}
    assert not kept["a"]["plain"].error
    assert kept["b"]["got"].error == kept["b"]["own"].error == "an input of the step holds a secret"


def test_it_is_not_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_VALUE", SECRET)
    text = commands.compile_(write_notebook(tmp_path / "n.ipynb", TEXT), {}).compiled.text
    assert SECRET not in text
    assert "secretKey: key" in text


def test_a_secret_that_begins_like_another_is_struck_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_PART", "abcd")
    monkeypatch.setenv("WHOLE", "abcd-and-the-rest")
    found = withheld.Secrets(["USER_PART", "WHOLE"]).masked(["x abcd-and-the-rest y", "abcd"])
    assert found == ["x *** y", "***"]


def test_a_secret_of_any_bytes_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(os.environb, b"ODD", b"abcd\xff\xfe")
    secrets = withheld.Secrets(["ODD"])
    for name, value in {"same": [os.environ["ODD"]], "other": ["abcd"]}.items():
        values.save(str(tmp_path / name), value)
        assert secrets.within(str(tmp_path / name)) == (name == "same")


@pytest.mark.parametrize("secret", ["1", "", "digest", "sha256"])
def test_a_secret_like_any_word_spoils_no_snapshot(tmp_path: Path, secret: str) -> None:
    (tmp_path / "db.env").write_text(f"key={secret}\n", encoding="utf-8")
    text = "# %% step:a secret:db:key:DB_VALUE snapshot:all\nplain = {'n': 11}\n# %% step:b\nprint(plain)"
    (tmp_path / "work").mkdir()
    run = Run(tmp_path / "work", text, secrets=(f"db={tmp_path / 'db.env'}",))
    assert run.result.folder is not None
    store = Store(run.result.folder.parents[1] / "store")
    left = store.manifests(run.result.run)["a", "after"].variables["plain"]
    assert left.file is not None
    assert left.digest == left.file.digest
    assert not run.log("a")
