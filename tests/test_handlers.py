"""Handlers, when a notebook is compiled: which are read, which step carries which, and what is wrong with one."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import write_notebook

from kalecompiler import payload, registered
from kalecompiler.diagnostics import UsageError
from kalecompiler.model import Pipeline, Step, StepSettings
from kalecompiler.plan import Planned, plan

HANDLER = """# %% handler
import json
class Settings(dict):
    pass
def dump_settings(value: Settings, file):
    file.write(json.dumps(value).encode())
def load_settings(file):
    return Settings(json.load(file))
"""
MODULE = '''
"""Sensors."""
TYPES = ("sensors.core.Sensor",)

def dump(value, file):
    import sensors
    file.write(sensors.to_bytes(value))

def load(file):
    import sensors
    return sensors.from_bytes(file.read())
'''


def planned(folder: Path, text: str) -> Planned:
    return plan(write_notebook(folder / "n.ipynb", text), {})


def carried(found: Planned) -> dict[str, list[str]]:
    """The names of the handlers of each step, in order."""
    assert found.pipeline is not None, [d.message for d in found.diagnostics]
    return {step.name: [handler.name for handler in step.handlers] for step in found.pipeline.steps}


# ---------------------------------------------------------------------------------------------------------------------
# which steps carry which
# ---------------------------------------------------------------------------------------------------------------------

CARRIED: dict[str, tuple[str, dict[str, list[str]]]] = {
    "a step that imports the package, and one that loads its data": (
        "# %% step:a\nimport xgboost\nm = xgboost.Booster()\n# %% step:b prev:a\nprint(m)\n# %% step:c\nz = 1\n"
        "# %% step:d prev:c\nprint(z)",
        {"a": ["xgboost"], "b": ["xgboost"], "c": [], "d": []},
    ),
    "data that passes through a step": (
        "# %% step:a\nimport xgboost\nm = xgboost.Booster()\n# %% step:b prev:a\nn = [m]\n# %% step:c prev:b\nprint(n)",
        {"a": ["xgboost"], "b": ["xgboost"], "c": ["xgboost"]},
    ),
    "an import in the shared cells counts where it is used": (
        "# %% imports\nimport xgboost\n# %% step:a\nm = xgboost.Booster()\n# %% step:b prev:a\nprint(m)\n"
        "# %% step:c\nz = 1\n# %% step:d prev:c\nprint(z)",
        {"a": ["xgboost"], "b": ["xgboost"], "c": [], "d": []},
    ),
    "a step that hands nothing on": ("# %% step:a\nimport xgboost\nprint(xgboost.__version__)", {"a": []}),
    "tensorflow brings keras": (
        "# %% step:a\nimport tensorflow as tf\nm = tf.keras.Sequential()\n# %% step:b prev:a\nprint(m)",
        {"a": ["keras"], "b": ["keras"]},
    ),
    "several, by name": (
        "# %% step:a\nimport xgboost, PIL.Image\nm = xgboost.Booster(), PIL.Image.new('L', (1, 1))\n"
        "# %% step:b prev:a\nprint(m)",
        {"a": ["pillow", "xgboost"], "b": ["pillow", "xgboost"]},
    ),
    "what needs none": (
        "# %% step:a\nimport lightgbm, catboost, spacy, onnx\nm = lightgbm, catboost, spacy, onnx, 1\n"
        "# %% step:b prev:a\nprint(m)",
        {"a": [], "b": []},
    ),
    "the notebook's own, where its class is": (
        HANDLER
        + "# %% step:a\ns = Settings(a=1)\n# %% step:b prev:a\nt = s\n# %% step:c\nz = 1\n"
        "# %% step:d prev:b,c\nprint(t, z)\n".replace("b,c", "b:c")
        + "# %% step:e prev:c\nprint(z)",
        {"a": ["settings"], "b": ["settings"], "c": [], "d": ["settings"], "e": []},
    ),
    "the notebook's own, for a type that no step names": (
        "# %% handler\nimport sensors\ndef dump_s(value: sensors.Sensor, file): pass\ndef load_s(file): pass\n"
        "# %% step:a\nimport labs\ns = labs.read()\n# %% step:b prev:a\nprint(s)\n# %% step:c\nprint(1)",
        {"a": ["s"], "b": ["s"], "c": []},
    ),
    "the notebook's own, for a type of a package that a step imports": (
        "# %% handler\nimport sensors\ndef dump_s(value: 'sensors.Sensor', file): pass\ndef load_s(file): pass\n"
        "# %% step:a\nfrom sensors import read\ns = read()\n# %% step:b prev:a\nprint(s)\n# %% step:c\nz = 1\n"
        "# %% step:d prev:c\nprint(z)",
        {"a": ["s"], "b": ["s"], "c": [], "d": []},
    ),
    "the notebook's own is asked first, and takes the place of a shipped one of its name": (
        "# %% handler\nimport xgboost, PIL\ndef dump_xgboost(value: xgboost.Booster, file): pass\n"
        "def load_xgboost(file): pass\n"
        "# %% step:a\nm = xgboost.Booster(), PIL\n# %% step:b prev:a\nprint(m)",
        {"a": ["xgboost", "pillow"], "b": ["xgboost", "pillow"]},
    ),
}


@pytest.mark.parametrize("label", CARRIED)
def test_the_steps_that_carry_a_handler(label: str, tmp_path: Path) -> None:
    text, expected = CARRIED[label]
    assert carried(planned(tmp_path, text)) == expected


def test_a_module_beside_the_notebook_can_have_the_type(tmp_path: Path) -> None:
    (tmp_path / "sensors.py").write_text("class Sensor: pass\n")
    text = (
        "# %% handler\nimport sensors\ndef dump_s(value: sensors.Sensor, file): pass\ndef load_s(file): pass\n"
        "# %% step:a\nimport sensors\ns = sensors.Sensor()\n# %% step:b prev:a\nprint(s)\n# %% step:c\nz = 1\n"
        "# %% step:d prev:c\nprint(z)"
    )
    assert carried(planned(tmp_path, text)) == {"a": ["s"], "b": ["s"], "c": [], "d": []}


def test_what_a_handler_of_the_notebook_needs_comes_with_it(tmp_path: Path) -> None:
    text = (
        "# %% imports\nimport json\n# %% functions\ndef packed(value):\n    return json.dumps(value)[:limit]\n"
        "# %% pipeline-parameters\nlimit = 99\n"
        "# %% handler\nclass Settings(dict): pass\n\ndef dump_s(value: 'Settings', file): file.write(packed(value))\n"
        "def load_s(file):\n    import tomli\n    return Settings(tomli.load(file))\n"
        "# %% step:a\ns = Settings()\n# %% step:b prev:a\nprint(s)"
    )
    pipeline = planned(tmp_path, text).pipeline
    assert pipeline is not None
    b = payload.content(pipeline.step("b"), pipeline)
    assert b["handlers"] == [{"name": "s", "type": "Settings", "dump": "dump_s", "load": "load_s"}]
    names = [piece["name"].removeprefix("n.ipynb ") for piece in b["code"]]
    assert names == [
        "imports",
        "functions.packed",
        "functions.Settings",
        "functions.dump_s",
        "functions.load_s",
        "b[1]",
    ]
    assert list(b["parameters"]) == ["limit"]
    assert [p["module"] for p in b["packages"]] == ["tomli"]


def test_a_notebook_without_handlers_is_as_it_was(tmp_path: Path) -> None:
    pipeline = planned(tmp_path, "# %% step:a\nx = 1\n# %% step:b prev:a\nprint(x)").pipeline
    assert pipeline is not None
    for step in pipeline.steps:
        assert {"handlers", "max-artifact-size", "preview"}.isdisjoint(payload.content(step, pipeline))


def test_the_source_of_a_handler_travels_with_the_step(tmp_path: Path) -> None:
    pipeline = planned(tmp_path, CARRIED["tensorflow brings keras"][0]).pipeline
    assert pipeline is not None
    (entry,) = payload.content(pipeline.step("b"), pipeline)["handlers"]
    assert sorted(entry) == ["name", "source", "types"]
    source = Path(registered.__file__).parent / "handlers/keras.py"
    assert "\n".join(entry["source"]) + "\n" == source.read_text()


# ---------------------------------------------------------------------------------------------------------------------
# the settings of artifacts
# ---------------------------------------------------------------------------------------------------------------------


def test_the_settings_of_artifacts_are_in_the_step(tmp_path: Path) -> None:
    text = "# %% step:a max-artifact-size:2Gi\nx = 1\n# %% step:b prev:a preview:0\nprint(x)"
    (tmp_path / "pyproject.toml").write_text("[tool.kalecompiler]\npreview = 3\nmax-artifact-size = 5000\n")
    pipeline = planned(tmp_path, text).pipeline
    assert pipeline is not None
    found = [payload.content(step, pipeline) for step in pipeline.steps]
    assert [(step.get("max-artifact-size"), step.get("preview")) for step in found] == [(2 << 30, 3), (5000, None)]


@given(st.integers(1, (1 << 63) - 1), st.integers(0, 100))
def test_every_value_of_a_setting_of_artifacts_changes_the_step(size: int, rows: int) -> None:
    plain = Step("a", "a")
    pipeline = Pipeline("n", "n.ipynb", (plain,))
    changed = payload.content(replace(plain, settings=StepSettings(max_artifact_size=size, preview=rows)), pipeline)
    given_back = {"max-artifact-size": size} | ({"preview": rows} if rows else {})
    assert changed == payload.content(plain, pipeline) | given_back


# ---------------------------------------------------------------------------------------------------------------------
# what is wrong with one of the notebook
# ---------------------------------------------------------------------------------------------------------------------

STEPS = "\n# %% step:a\nx = 1\n# %% step:b prev:a\nprint(x)"
WRONG = {
    "neither function": ("x = 2", "cell 1 is tagged `handler`, and defines no handler"),
    "only one function": ("def dump_a(v: complex, f): pass", "`dump_a` has no `load_a` beside it"),
    "only the other": ("def load_a(f): pass", "`load_a` has no `dump_a` beside it"),
    "no type": ("def dump_a(v, f): pass\ndef load_a(f): pass", "`dump_a` does not say which type it saves"),
    "two types": (
        "def dump_a(v: int | str, f): pass\ndef load_a(f): pass",
        "`dump_a` saves `int | str`, which is not the name of one type",
    ),
    "no file": (
        "def dump_a(v: complex): pass\ndef load_a(f): pass",
        "`dump_a` must take the value and a file, and nothing else",
    ),
    "an argument too many": (
        "def dump_a(v: complex, f): pass\ndef load_a(f, *, mode): pass",
        "`load_a` must take the file, and nothing else",
    ),
    "a type that pickle asks nobody about": (
        "def dump_a(v: dict, f): pass\ndef load_a(f): pass",
        "`dump_a` saves `dict`, which needs no handler",
    ),
    "two of one name": (
        "def dump_a(v: complex, f): pass\ndef load_a(f): pass\n# %% handler\n"
        "def dump_a(v: range, f): pass\ndef load_a(f): pass",
        "there are two handlers `a`",
    ),
    "a type that only a step has": (
        "def dump_a(v: 'Thing', f): pass\ndef load_a(f): pass",
        "the handler `a` needs the type `Thing`, which only a step can have",
    ),
    "a name that only a step has": (
        "def dump_a(v: complex, f): f.write(helper(v))\ndef load_a(f): pass",
        "the handler `a` needs the name `helper`, which only a step can have",
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", WRONG)
def test_a_wrong_handler_of_the_notebook(label: str, tmp_path: Path) -> None:
    cell, message = WRONG[label]
    found = planned(tmp_path, f"# %% handler\n{cell}{STEPS}")
    assert [(d.rule.code, d.message) for d in found.diagnostics] == [("KC124", message)]
    assert found.diagnostics[0].hint


def test_a_class_of_a_step_is_reported_once(tmp_path: Path) -> None:
    text = "# %% handler\ndef dump_a(v: Thing, f): pass\ndef load_a(f): pass\n# %% step:a\nclass Thing: pass"
    found = planned(tmp_path, text)
    assert [(d.rule.code, d.hint) for d in found.diagnostics] == [
        ("KC206", "it runs before every step: define `Thing` in a cell tagged `functions`")
    ]


def test_default_arguments_do_no_harm(tmp_path: Path) -> None:
    cell = "# %% handler\ndef dump_a(v: complex, f, level=3): pass\ndef load_a(f, strict=True): pass"
    assert carried(planned(tmp_path, cell + STEPS)) == {"a": ["a"], "b": ["a"]}


def test_a_step_may_still_be_named_handler(tmp_path: Path) -> None:
    found = planned(tmp_path, "# %% block:handler\nx = 1\n# %% step:b prev:handler\nprint(x)")
    assert carried(found) == {"handler": [], "b": []}


# ---------------------------------------------------------------------------------------------------------------------
# those of packages
# ---------------------------------------------------------------------------------------------------------------------


def test_the_shipped_ones_keep_to_the_form() -> None:
    assert [handler.name for handler in registered.shipped()] == ["keras", "pillow", "xgboost"]
    for handler in registered.shipped():
        ast.parse(handler.source, feature_version=(3, 9))
        assert handler.types, handler.name


class Site:
    """A folder on sys.path with distributions that register handlers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, distribution: str, points: dict[str, str], **modules: str) -> None:
        info = self.folder / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[kalecompiler.handlers]\n{lines}")
        for path, source in modules.items():
            place = self.folder / (path.replace("__", "/") + ".py")
            place.parent.mkdir(exist_ok=True)
            place.write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(made.folder))
    return made


USES_SENSORS = "# %% step:a\nimport sensors\ns = sensors.read()\n# %% step:b prev:a\nprint(s)"


def test_a_handler_by_entry_point(site: Site, tmp_path: Path) -> None:
    site.add("sensors-kalec", {"sensor": "sensors_kalec"}, sensors_kalec=MODULE)
    found = planned(tmp_path, USES_SENSORS)
    assert carried(found) == {"a": ["sensor"], "b": ["sensor"]}
    assert found.draft.step("a").handlers[0].source == MODULE


def test_the_package_around_a_handler_is_not_imported(site: Site, tmp_path: Path) -> None:
    site.add("sensors", {"sensor": "heavy.kalec"}, heavy__kalec=MODULE)
    (site.folder / "heavy/__init__.py").write_text("raise RuntimeError('imported')")
    assert carried(planned(tmp_path, USES_SENSORS)) == {"a": ["sensor"], "b": ["sensor"]}


def test_a_users_handler_takes_the_place_of_a_shipped_one(site: Site, tmp_path: Path) -> None:
    source = MODULE.replace("sensors.core.Sensor", "xgboost.core.Booster")
    site.add("mine", {"xgboost": "my_xgboost"}, my_xgboost=source)
    found = planned(tmp_path, USES_SENSORS.replace("sensors", "xgboost"))
    assert carried(found) == {"a": ["xgboost"], "b": ["xgboost"]}
    assert found.draft.step("a").handlers[0].source == source


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an import of a package at its top": (
        {"m": "import json\nimport numpy as np\n" + MODULE},
        "the handler `sensor` (m of mine) imports `numpy` at its top; import it inside `dump` and `load`",
    ),
    "the same in a condition": (
        {"m": "try:\n    import numpy as np\nexcept ImportError:\n    np = None\n" + MODULE},
        "the handler `sensor` (m of mine) imports `numpy` at its top; import it inside `dump` and `load`",
    ),
    "a relative import": (
        {"m": "from . import other\n" + MODULE},
        "the handler `sensor` (m of mine) imports `relative.other` at its top; import it inside `dump` and `load`",
    ),
    "no load": (
        {"m": MODULE.replace("def load", "def unload")},
        "the handler `sensor` (m of mine) defines no function `load`",
    ),
    "no types": (
        {"m": MODULE.replace("TYPES", "KINDS")},
        "the handler `sensor` (m of mine) needs `TYPES`, a tuple of dotted names "
        'as in `TYPES = ("package.module.Class",)`',
    ),
    "types that are no texts": (
        {"m": MODULE.replace('"sensors.core.Sensor"', "Sensor")},
        "the handler `sensor` (m of mine) needs `TYPES`, a tuple of dotted names "
        'as in `TYPES = ("package.module.Class",)`',
    ),
    "a newer Python": (
        {"m": MODULE + "match 1:\n    case _:\n        pass\n"},
        "the handler `sensor` (m of mine) is not Python 3.9, which steps may run: ",
    ),
    "no such module": (
        {},
        "the handler `sensor` has no source: the module `m` of its entry point is not found",
    ),
}


@pytest.mark.parametrize("label", REFUSED)
def test_a_wrong_handler_of_a_package(label: str, site: Site, tmp_path: Path) -> None:
    modules, message = REFUSED[label]
    site.add("mine", {"sensor": "m"}, **modules)
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, USES_SENSORS)
    assert str(caught.value).startswith(message)


def test_two_users_handlers_of_one_name_are_an_error(site: Site, tmp_path: Path) -> None:
    site.add("one", {"sensor": "first"}, first=MODULE)
    site.add("two", {"sensor": "second"}, second=MODULE)
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, USES_SENSORS)
    assert str(caught.value) == (
        "two packages register a handler `sensor`: first of one, and second of two; remove one of them"
    )


def test_a_notebook_of_the_standard_library_alone_asks_for_no_handler(site: Site, tmp_path: Path) -> None:
    site.add("mine", {"sensor": "missing"})
    assert carried(planned(tmp_path, "# %% step:a\nimport json\nx = 1\n# %% step:b prev:a\nprint(x)"))
