"""What a step says of its values, how large they may be, and versions that do not fit."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import output, run, step, take

from kalecompiler.runtime import bundle, limits, values


def saved(tmp_path: Path, value: Any, **options: Any) -> dict[str, Any]:
    return values.save(str(tmp_path / "value"), value, "v", options)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (3_140_000, "3.14 MB"), (5 * 10**15, "5e+03 TB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert limits.in_words(size) == words


@pytest.mark.parametrize(
    "code", ["v = b'x' * 3_000_000", "v = [bytearray(700_000) for _ in range(4)]", "v = list(range(10**6))"]
)
def test_a_value_that_is_too_large_is_refused(tmp_path: Path, code: str) -> None:
    fields = {"outputs": [output("v", cell="nb.ipynb work[1]")], "max-artifact-size": 2_000_000}
    done = run(tmp_path, step(code, **fields))
    assert done.status == 1
    first, cure = done.err.splitlines()
    assert "cannot hand 'v' (" in first and "MB or more, and the setting max-artifact-size allows 2 MB" in first
    assert cure == "  help: hand on less, or raise the setting"
    assert list((done.folder / "artifacts").iterdir()) == [], "no draft is left"


def test_a_value_of_the_allowed_size_passes(tmp_path: Path) -> None:
    done = run(tmp_path, step("v = b'x' * 1_900_000", outputs=[output("v")], **{"max-artifact-size": 2_000_000}))
    assert (done.status, done.err) == (0, "")


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """256 MB of an array cost next to nothing beyond it when they are saved, and themselves when they are loaded."""
    pytest.importorskip("numpy")
    code = f"""
import resource, numpy, sys
from kalecompiler.runtime import values
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
value = numpy.ones(1 << 25)
start = peak()
digest = values.save({str(tmp_path / "v")!r}, [value])["digest"]
print(peak() - start)
back = values.load({str(tmp_path / "v")!r}, digest)
print(peak() - start, (back[0] == value).all())
"""
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    extra, loaded, equal = done.stdout.split()
    assert int(extra) < 20 and int(loaded) < 256 + 80 and equal == "True"


def frame() -> Any:
    pandas = pytest.importorskip("pandas")
    columns = pandas.Index(["name", "password", "\ud800"], dtype=object)
    return pandas.DataFrame([["Ada", "x1", 1], ["Bo", "x2", 2]], columns=columns)


def test_metadata_is_strict_json_and_small(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    told = saved(tmp_path, frame())
    json.dumps(told, allow_nan=False).encode("utf-8")
    assert list(told["dtypes"]) == ["name", "password", "\\ud800"] and told["rows"] == 2 and told["columns"] == 3
    assert "Ada" not in json.dumps(told)
    named = ["dtype", "shape", "name", "columns"]
    hidden = saved(tmp_path, pandas.DataFrame([["Ada"] * 4], columns=named))
    assert list(hidden["dtypes"]) == named and "Ada" not in json.dumps(hidden)
    assert values.describe(pandas.Series([0.5], index=["columns"]))["dtype"] == "float64"
    wide = saved(tmp_path, pandas.DataFrame([[0] * 500], columns=[f"c{n}" * 100 for n in range(500)]))
    assert len(json.dumps(wide)) < 10_000 and wide["columns"] == 500


def test_a_preview_only_where_asked_and_never_of_secrets(tmp_path: Path) -> None:
    preview = saved(tmp_path, frame(), preview=1)["preview"]
    assert "Ada" in preview and "Bo" not in preview and "x1" not in preview
    about = values.describe(frame(), "api_token", 5)
    assert "preview" not in about and about["rows"] == 2
    assert "preview" not in values.describe({"a": 1}, "v", 5)


def test_kinds() -> None:
    numpy = pytest.importorskip("numpy")
    linear = pytest.importorskip("sklearn.linear_model")
    own = type("Own", (linear.LogisticRegression,), {})()
    kinds = [values.describe(value)["kind"] for value in (numpy.zeros(2), own, [1], numpy.float64(1))]
    assert kinds == ["Dataset", "Model", "Artifact", "Artifact"]


def test_the_hash_is_a_choice_that_the_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("blake3")
    digest = saved(tmp_path, {"a": [1]}, hash="blake3")["digest"]
    assert digest.startswith("blake3:") and values.load(str(tmp_path / "value"), digest) == {"a": [1]}
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(values.ValueProblem, match="hashed by blake3, which is not installed here"):
        values.load(str(tmp_path / "value"), digest)
    assert saved(tmp_path, 1, hash="blake3")["digest"].startswith("sha256:")


def test_both_versions_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("kit")
    kind = type("Tool", (), {"__module__": "kit", "__setstate__": lambda self, state: state["gone"]})
    module.Tool, module.__version__ = kind, "1.4.2"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kit", module)
    tool = kind()
    tool.a = 1  # type: ignore[attr-defined]
    digest = saved(tmp_path, [tool])["digest"]
    module.__version__ = "2.0"  # type: ignore[attr-defined]
    with pytest.raises(values.ValueProblem, match=r"KeyError: 'gone'; kit 1\.4\.2 there, 2\.0 here"):
        values.load(str(tmp_path / "value"), digest)


def test_an_estimator_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn = pytest.importorskip("sklearn")
    linear = pytest.importorskip("sklearn.linear_model")
    digest = saved(tmp_path, {"m": linear.LogisticRegression()})["digest"]
    monkeypatch.setattr(sklearn, "__version__", "0.1.2")
    with pytest.raises(values.ValueProblem, match=r"does not promise .*; sklearn \d+\.\d+\.\d+ there, 0\.1\.2 here"):
        values.load(str(tmp_path / "value"), digest)


def test_code_by_value_needs_the_same_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cloudpickle")
    digest = saved(tmp_path, [lambda x: x + 1])["digest"]
    assert values.load(str(tmp_path / "value"), digest)[0](1) == 2
    actual = bundle.version
    monkeypatch.setattr(bundle, "version", lambda name: "3.99" if name == "Python" else actual(name))
    with pytest.raises(values.ValueProblem, match=r"it holds code.*; Python 3\.\d+ there, 3\.99 here"):
        values.load(str(tmp_path / "value"), digest)


def test_what_is_written_to_a_loaded_array_stays_in_its_step(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    fixed = numpy.ones(1 << 18)
    fixed.flags.writeable = False
    digest = saved(tmp_path, [numpy.ones(1 << 18), fixed, numpy.ones(5000)])["digest"]
    before = (tmp_path / "value").read_bytes()
    back = values.load(str(tmp_path / "value"), digest)
    back[0][0] = back[2][0] = 5
    assert (tmp_path / "value").read_bytes() == before and not back[1].flags.writeable


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("v = {'a': [object()]}", "v['a'][0] is a object, which cannot be saved: a bare", id="object"),
        pytest.param("import weakref\nclass A: pass\na = A()\nv = [weakref.ref(a)]", "v[0] is a weakref", id="weak"),
        pytest.param(
            "import logging\nv = logging.getLogger('x')\nv.addHandler(logging.StreamHandler())",
            "v is a logging.Logger, which cannot be saved: its handlers would be lost",
            id="a logger with handlers",
        ),
        pytest.param("v = {10**6000: (i for i in 'a')}", "v[int] is a generator", id="a key that has no repr"),
    ],
)
def test_what_would_not_be_the_same_is_refused(tmp_path: Path, code: str, reason: str) -> None:
    done = run(tmp_path, step(code, outputs=[output("v")]))
    assert done.status == 1 and reason in done.err, done.err


def test_loggers_and_exceptions_keep_what_they_have(tmp_path: Path) -> None:
    code = """
import logging
log = logging.getLogger("mine")
log.setLevel(10)
try:
    try:
        1 / 0
    except ZeroDivisionError as inner:
        raise ValueError("outer") from inner
except ValueError as outer:
    error = outer
"""
    made = run(tmp_path, step(code, name="make", outputs=[output("log"), output("error")]))
    assert (made.status, made.err) == (0, "")
    check = "import logging\nprint(log is logging.getLogger('mine'), log.level, repr(error.__cause__), error)"
    done = run(tmp_path, step(check, inputs=[take("log", "make"), take("error", "make")]), {"make": made})
    assert done.out == "True 10 ZeroDivisionError('division by zero') outer\n", done.err


def test_a_parser_of_arguments_parses_the_same(tmp_path: Path) -> None:
    """argparse compares some texts by `is`: a copy of a parser that pickle makes adds an argument to each result."""
    code = "import argparse\np = argparse.ArgumentParser('x')\np.add_argument('--n', type=int, default=3)"
    made = run(tmp_path, step(code, name="make", outputs=[output("p")]))
    done = run(tmp_path, step("print(p.parse_args(['--n', '4']))", inputs=[take("p", "make")]), {"make": made})
    assert (made.err, done.out, done.err) == ("", "Namespace(n=4)\n", "")
