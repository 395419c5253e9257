"""Settings: which source wins, what Kale's metadata amounts to, and every value that is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import write_notebook

from kalecompiler import notebook, settings
from kalecompiler.diagnostics import Diagnostic, UsageError
from kalecompiler.model import Cell, CellKind, Notebook, Setting
from kalecompiler.plan import plan
from kalecompiler.settings import Settings
from kalecompiler.settingtable import TableError, read_table

CELLS = (Cell(1, CellKind.CODE, "x = 1", metadata={"tags": ["step:load"]}),)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMAGE", "EXPERIMENT", "REQUIREMENTS", "INDEX_URL", "TRUSTED_HOSTS"):
        monkeypatch.delenv(f"KALEC_{name}", raising=False)


def load(folder: Path, options: dict[str, Any] | None = None, **metadata: Any) -> tuple[Settings, list[Diagnostic]]:
    """The settings of a notebook `my_Notebook.ipynb` in a folder, with that metadata."""
    python = metadata.pop("python", None)
    return settings.load(Notebook(folder / "my_Notebook.ipynb", CELLS, metadata, python), options or {})


def pyproject(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def triples(found: Iterable[Setting]) -> list[tuple[str, str, str]]:
    return [(s.kind, s.key, s.value) for s in found]


def test_without_any_setting(tmp_path: Path) -> None:
    assert load(tmp_path) == (Settings(pipeline_name="my-notebook"), [])


# ---------------------------------------------------------------------------------------------------------------------
# which source wins
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"pyproject"}, "pyproject:1"),
        ({"pyproject", "kale"}, "kale:1"),
        ({"pyproject", "kale", "notebook"}, "notebook:1"),
        ({"pyproject", "kale", "notebook", "environment"}, "environment:1"),
        ({"pyproject", "kale", "notebook", "environment", "option"}, "option:1"),
        ({"pyproject", "option"}, "option:1"),
        (set(), "python:3.11"),
    ],
    ids=["pyproject", "kale", "notebook", "environment", "option", "option alone", "default"],
)
def test_the_nearer_source_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: set[str], expected: str
) -> None:
    metadata: dict[str, Any] = {}
    if "pyproject" in sources:
        pyproject(tmp_path, '[tool.kalecompiler]\nimage = "pyproject:1"\n')
    if "kale" in sources:
        metadata["kubeflow_notebook"] = {"docker_image": "kale:1"}
    if "notebook" in sources:
        metadata["kalecompiler"] = {"image": "notebook:1"}
    if "environment" in sources:
        monkeypatch.setenv("KALEC_IMAGE", "environment:1")
    options = {"image": "option:1"} if "option" in sources else {"image": None}
    assert load(tmp_path, options, **metadata)[0].image == expected


def test_an_option_wins_over_a_default_of_all_steps(tmp_path: Path) -> None:
    metadata = {"kubeflow_notebook": {"base_image": "base:1", "steps_defaults": ["image:steps:1"]}}
    assert load(tmp_path, **metadata)[0].image == "steps:1"
    found, _ = load(tmp_path, {"image": "option:1"}, **metadata)
    assert (found.image, found.defaults) == ("option:1", ())


def test_defaults_of_the_notebook_stand_after_those_of_pyproject(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.kalecompiler]\ncache = true\nlimits = {cpu = 1, "nvidia.com/gpu" = "2"}\n')
    found, findings = load(tmp_path, kubeflow_notebook={"enable_caching": False, "steps_defaults": ["label:a:b"]})
    assert triples(found.defaults) == [
        ("cache", "", "enabled"),
        ("limit", "cpu", "1"),
        ("limit", "nvidia.com/gpu", "2"),
        ("cache", "", "disabled"),
        ("label", "a", "b"),
    ]
    assert findings == []


def test_settings_of_steps_add_up_in_the_same_order(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.kalecompiler.steps.train]\nimage = "a:1"\nrequests = {memory = "1Gi"}\n')
    found, _ = load(tmp_path, kalecompiler={"steps": {"train": {"image": "b:1"}, "load": {"tags": ["cache:disabled"]}}})
    assert {name: triples(own) for name, own in found.steps.items()} == {
        "train": [("image", "", "a:1"), ("request", "memory", "1Gi"), ("image", "", "b:1")],
        "load": [("cache", "", "disabled")],
    }


def test_every_key_of_pyproject(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("pandas==2.2.0\n")
    pyproject(
        tmp_path,
        """
        [tool.kalecompiler]
        pipeline-name = "churn"
        description = "who leaves"
        experiment = "models"
        image = "python:3.12-slim"
        requirements = "requirements.txt"
        packages = ["numpy>=2", "rich"]
        index_url = "https://pypi.example.com/simple"
        trusted-hosts = ["pypi.example.com"]
        tags = ["limit:cpu:2"]
        cache = false
        annotations = {"example.com/a" = "b: c"}
        labels = {team = "vision"}
        requests = {cpu = 0.5}
        max-artifact-size = "2Gi"
        preview = 5
        """,
    )
    found, findings = load(tmp_path)
    assert found == Settings(
        pipeline_name="churn",
        description="who leaves",
        experiment="models",
        image="python:3.12-slim",
        requirements=tmp_path / "requirements.txt",
        packages=("numpy>=2", "rich"),
        index_url="https://pypi.example.com/simple",
        trusted_hosts=("pypi.example.com",),
        defaults=found.defaults,
    )
    assert triples(found.defaults) == [
        ("limit", "cpu", "2"),
        ("cache", "", "disabled"),
        ("annotation", "example.com/a", "b: c"),
        ("label", "team", "vision"),
        ("request", "cpu", "0.5"),
        ("max-artifact-size", "", "2Gi"),
        ("preview", "", "5"),
    ]
    assert {s.origin.path for s in found.defaults} == {str(tmp_path / "pyproject.toml")}
    assert findings == []


def test_the_nearest_pyproject_with_a_table_counts(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.kalecompiler]\nimage = "far:1"\n')
    pyproject(tmp_path / "a", '[tool.kalecompiler]\nimage = "near:1"\n')
    pyproject(tmp_path / "a/b", '[tool.other]\nimage = "other:1"\n')
    (tmp_path / "a/b/c").mkdir()
    assert load(tmp_path / "a/b/c")[0].image == "near:1"


def test_a_relative_path_is_looked_up_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyproject(tmp_path, '[tool.kalecompiler]\nimage = "here:1"\n')
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert settings.load(Notebook(Path("n.ipynb"), CELLS), {})[0].image == "here:1"


def test_a_pyproject_with_a_byte_order_mark_and_one_that_is_a_folder(tmp_path: Path) -> None:
    pyproject(tmp_path, '\ufeff[tool.kalecompiler]\nimage = "here:1"\n')
    (tmp_path / "sub/pyproject.toml").mkdir(parents=True)
    assert load(tmp_path / "sub")[0].image == "here:1"


def test_requirements_are_relative_to_what_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "sub", "cwd"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "r.txt").touch()
    monkeypatch.chdir(tmp_path / "cwd")
    pyproject(tmp_path, '[tool.kalecompiler]\nrequirements = "r.txt"\n')
    assert load(tmp_path / "sub")[0].requirements == tmp_path / "r.txt"
    assert load(tmp_path / "sub", kalecompiler={"requirements": "r.txt"})[0].requirements == tmp_path / "sub/r.txt"
    assert load(tmp_path / "sub", {"requirements": Path("r.txt")})[0].requirements == Path("r.txt")


def test_lists_in_the_environment_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALEC_TRUSTED_HOSTS", "a.example, b.example")
    monkeypatch.setenv("KALEC_EXPERIMENT", "")
    found, _ = load(tmp_path, kalecompiler={"experiment": "mine"})
    assert (found.trusted_hosts, found.experiment) == (("a.example", "b.example"), "mine")


# ---------------------------------------------------------------------------------------------------------------------
# the call, the environment and pyproject.toml: errors
# ---------------------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[str, str]] = {
    "an unknown key": ("imgae = 'x'", "the key `imgae` is unknown; did you mean `image`?"),
    "an unknown key, like none": ("zzz = 1", "the key `zzz` is unknown"),
    "an unknown key of a step": ("steps.train.limit = {cpu = 1}", "the key `limit` is unknown; did you mean `limits`?"),
    "the table is no table": ("", "`kalecompiler` must be a table, not 5"),
    "steps that are no table": ("steps = 5", "`steps` must be a table, not 5"),
    "a step that is no table": ("steps.train = 'x'", "`steps.train` must be a table, not 'x'"),
    "an image that is a number": ("image = 5", "`image` must be a text, not 5"),
    "an image with a space": ("image = 'a b'", "`image` is wrong: `a b` is no name of an image"),
    "a package that is no requirement": (
        "packages = ['two words!']",
        "`packages`: `two words!` is not a requirement; write them as in `pandas>=2`",
    ),
    "a list with numbers": ("packages = [1]", "`packages` must be a list of texts, not [1]"),
    "limits that are no table": ("limits = ['cpu:2']", "`limits` must be a table"),
    "a limit that is true": ("limits.cpu = true", "`limits.cpu` must be a text, not True; put it in quotes"),
    "a limit that is no quantity": ("limits.memory = '4GB'", "`limits.memory` is wrong: `4GB` is no quantity"),
    "a size in words": (
        "max-artifact-size = '2GB'",
        "`max-artifact-size` is wrong: `2GB` is no size like 500Mi or 2Gi",
    ),
    "a size that is a list": ("max-artifact-size = [2]", "`max-artifact-size` must be a number or a text, not [2]"),
    "a preview that is true": ("preview = true", "`preview` must be a number or a text, not True"),
    "a preview that is too long": ("preview = 1000", "`preview` is wrong: `1000` is no number of rows from 0 to 100"),
    "a label that is true": ("labels.a = true", "`labels.a` must be a text, not True; put it in quotes"),
    "a label with a space": ("labels.a = 'b c'", "`labels.a` is wrong: `b c` is no label value"),
    "a cache that is maybe": ("cache = 'maybe'", "`cache` is wrong: `maybe` is none of enabled, disabled"),
    "a tag that is none": ("tags = ['cpu:2']", "`tags`: `cpu:2` is no setting of a step"),
    "a tag that is nearly one": ("tags = ['limits:cpu:2']", "did you mean `limit:...`?"),
    "a tag that is malformed": ("tags = ['limit:cpu']", "`tags`: `limit:cpu` is malformed; write it as in"),
    "a tag for one step only": (
        "tags = ['changes:x']",
        "`tags`: `changes:x` is a setting of one step, and not of all; tag the step that is meant, "
        "or write it in `steps.NAME.tags`",
    ),
    "a requirements file that is not there": ("requirements = 'no.txt'", "no.txt does not exist"),
    "broken TOML": ("image = ", "is not valid TOML"),
}


@pytest.mark.parametrize(("line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_pyproject_may_not_say(tmp_path: Path, line: str, message: str) -> None:
    pyproject(tmp_path, f"[tool.kalecompiler]\n{line}\n" if line else "[tool]\nkalecompiler = 5\n")
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "pyproject.toml"))
    assert message in str(caught.value)
    assert caught.value.status == 2


def test_a_pyproject_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.kalecompiler]\nimage = '\xff'\n")
    with pytest.raises(UsageError, match="is not valid TOML"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image": "a b"},
            'options: `image` is wrong: `a b` is no name of an image; write it as in `image = "python:3.11"`',
        ),
        ({"imgae": "x"}, "options: the key `imgae` is unknown; did you mean `image`?"),
        ({"requirements": Path("no.txt")}, "options: `requirements`: no.txt does not exist"),
    ],
    ids=["a wrong value", "an unknown option", "a missing file"],
)
def test_what_an_option_may_not_say(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, options)
    assert str(caught.value) == message


def test_what_the_environment_may_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALEC_IMAGE", "a b")
    with pytest.raises(UsageError, match="environment: `image` is wrong"):
        load(tmp_path)


# ---------------------------------------------------------------------------------------------------------------------
# the notebook's metadata: findings
# ---------------------------------------------------------------------------------------------------------------------

KALE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the keys that work": (
        {
            "pipeline_name": "churn",
            "pipeline_description": "who leaves",
            "experiment_name": "models",
            "experiment": {"id": "new", "name": "other"},
            "base_image": "new:1",
            "docker_image": "old:1",
        },
        {"pipeline_name": "churn", "description": "who leaves", "experiment": "models", "image": "new:1"},
    ),
    "the older ones": (
        {"docker_image": "old:1", "experiment": {"id": "", "name": "old"}, "experiment_name": ""},
        {"image": "old:1", "experiment": "old"},
    ),
    "an experiment that is a text": ({"experiment": "mine"}, {"experiment": "mine"}),
    "fields that nobody filled in": (
        {"pipeline_name": "", "experiment": {"id": "", "name": ""}, "docker_image": "", "steps_defaults": []},
        {},
    ),
    "keys that mean nothing as they are": (
        {
            "volumes": [],
            "katib_run": False,
            "katib_metadata": {"maxTrialCount": 12},
            "snapshot_volumes": True,
            "autosnapshot": True,
            "volume_access_mode": "rwm",
            "storage_class_name": "fast",
            "security_context": {"enabled": False, "run_as_user": 0},
            "abs_working_dir": "",
            "marshal_path": "/tmp/marshal",
            "timeout": None,
        },
        {},
    ),
}


@pytest.mark.parametrize(("metadata", "expected"), KALE.values(), ids=KALE)
def test_kales_metadata(tmp_path: Path, metadata: dict[str, Any], expected: dict[str, Any]) -> None:
    found, findings = load(tmp_path, kubeflow_notebook=metadata)
    assert found == Settings(**{"pipeline_name": "my-notebook"} | expected)
    assert findings == []


@pytest.mark.parametrize(
    "defaults",
    [
        ["label:a:b", "annotation:n:x:y", "limit:cpu:2", "cache:disabled"],
        {"labels": {"a": "b"}, "annotations": {"n": "x:y"}, "limits": {"cpu": "2"}, "enable_caching": False},
    ],
    ids=["a list of tags", "an object"],
)
def test_both_forms_of_steps_defaults(tmp_path: Path, defaults: object) -> None:
    found, findings = load(tmp_path, kubeflow_notebook={"steps_defaults": defaults})
    assert sorted(triples(found.defaults)) == [
        ("annotation", "n", "x:y"),
        ("cache", "", "disabled"),
        ("label", "a", "b"),
        ("limit", "cpu", "2"),
    ]
    assert findings == []


WITHOUT_EFFECT = {
    "katib_run": True,
    "kfp_host": "http://kfp",
    "abs_working_dir": "/home/jovyan",
    "output_path": "out.yaml",
}


@pytest.mark.parametrize(("key", "value"), WITHOUT_EFFECT.items(), ids=WITHOUT_EFFECT)
def test_keys_of_kale_without_effect_are_named_once(tmp_path: Path, key: str, value: object) -> None:
    _, findings = load(tmp_path, kubeflow_notebook={key: value})
    assert [(f.rule.code, f.message) for f in findings] == [
        ("KC130", f"metadata `kubeflow_notebook`: `{key}` has no effect")
    ]


METADATA: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key of Kale's": (
        {"kubeflow_notebook": {"pipelin_name": "a"}},
        "KC131",
        "the key `pipelin_name` is unknown; did you mean `pipeline_name`?",
    ),
    "an unknown key of ours": (
        {"kalecompiler": {"imgae": "a"}},
        "KC131",
        "the key `imgae` is unknown; did you mean `image`?",
    ),
    "an unknown key in steps_defaults": (
        {"kubeflow_notebook": {"steps_defaults": {"limit": {"cpu": "2"}}}},
        "KC131",
        "`steps_defaults`: the key `limit` is unknown; did you mean `limits`?",
    ),
    "a key without effect in steps_defaults": (
        {"kubeflow_notebook": {"steps_defaults": {"generate_html_report": True, "timeout": 0}}},
        "KC130",
        "`steps_defaults`: `generate_html_report` has no effect",
    ),
    "a setting of one step in steps_defaults": (
        {"kubeflow_notebook": {"steps_defaults": ["together:a,b"]}},
        "KC132",
        "`tags`: `together:a,b` is a setting of one step, and not of all",
    ),
    "a wrong secret in steps_defaults": (
        {"kubeflow_notebook": {"steps_defaults": {"secrets": {"A": {"secret_name": "Db", "secret_key": "k"}}}}},
        "KC132",
        "`secrets`: `Db:k:A` is wrong: `Db` is no name of a secret",
    ),
    "a cloned volume": (
        {"kubeflow_notebook": {"volumes": [{"name": "data", "type": "clone", "mount_point": "/data"}]}},
        "KC130",
        "`data` of type `clone` has no effect; make a claim from the clone or snapshot beforehand",
    ),
    "a snapshot of a volume": (
        {"kubeflow_notebook": {"volumes": [{"name": "data", "type": "pvc", "mount_point": "/data", "snapshot": True}]}},
        "KC130",
        "`snapshot` of `data` has no effect; each step's values are kept with the run",
    ),
    "a volume of no type": ({"kubeflow_notebook": {"volumes": [{"name": "data"}]}}, "KC132", "`data` has no type of"),
    "a volume without a path": (
        {"kubeflow_notebook": {"volumes": [{"name": "data", "type": "pvc"}]}},
        "KC132",
        "`volumes`: `data` is malformed",
    ),
    "a new volume without a class": (
        {
            "kubeflow_notebook": {
                "volumes": [{"name": "data", "type": "new_pvc", "mount_point": "/d", "size": 5, "size_type": "Gi"}]
            }
        },
        "KC132",
        "its option class=... is missing",
    ),
    "an exit step that does not exist": ({"kalecompiler": {"exit": 5}}, "KC132", "`exit` must be a text, not 5"),
    "kale's metadata is a list": ({"kubeflow_notebook": []}, "KC132", "metadata `kubeflow_notebook` is not an object"),
    "ours is a list": ({"kalecompiler": []}, "KC132", "`kalecompiler` must be a table, not []"),
    "a name that is a number": ({"kubeflow_notebook": {"pipeline_name": 5}}, "KC132", "`pipeline-name` must be a text"),
    "a wrong default": (
        {"kubeflow_notebook": {"steps_defaults": ["limit:cpu:x"]}},
        "KC132",
        "`tags`: `limit:cpu:x` is wrong",
    ),
    "defaults that are a text of nonsense": (
        {"kubeflow_notebook": {"steps_defaults": 5}},
        "KC132",
        "`tags` must be a list of texts, not 5",
    ),
    "requirements with a name that no file has": (
        {"kalecompiler": {"requirements": "x" * 300}},
        "KC132",
        "cannot be read: file name too long",
    ),
    "requirements that are not there": (
        {"kalecompiler": {"requirements": "no.txt"}},
        "KC132",
        "no.txt does not exist",
    ),
    "a name that KFP would not take": (
        {"kalecompiler": {"pipeline-name": "Churn Model!"}},
        "KC133",
        "`Churn Model!` becomes `churn-model`",
    ),
    "a name without a letter or digit": (
        {"kalecompiler": {"pipeline-name": "日本"}},
        "KC132",
        "has no letter or digit",
    ),
    "another Python": (
        {"python": "3.12"},
        "KC134",
        "run with Python 3.12, and the image `python:3.11` has Python 3.11",
    ),
    "another Python, with the image of the notebook": (
        {"python": "3.10", "kalecompiler": {"image": "registry.example/python:3.12-slim"}},
        "KC134",
        "as in `--image python:3.10`",
    ),
}


@pytest.mark.parametrize(("metadata", "code", "part"), METADATA.values(), ids=METADATA)
def test_what_is_wrong_in_the_metadata(tmp_path: Path, metadata: dict[str, Any], code: str, part: str) -> None:
    _, (finding,) = load(tmp_path, **metadata)
    assert finding.rule.code == code
    assert part in f"{finding.message}; {finding.hint}"
    assert finding.location.path == str(tmp_path / "my_Notebook.ipynb")


@pytest.mark.parametrize(
    ("python", "image"),
    [
        ("3.11", "python:3.11"),
        ("3.11", "python:3.11-slim"),
        (None, "python:3.11"),
        ("3.9", "mypython:3.11"),
        ("3.9", "a"),
    ],
    ids=["the same", "the same, slim", "unknown", "another image", "an image without version"],
)
def test_the_same_python_or_an_unknown_one_is_no_finding(tmp_path: Path, python: str | None, image: str) -> None:
    assert load(tmp_path, {"image": image}, python=python)[1] == []


def test_no_image_is_proposed_for_a_python_that_the_runtime_does_not_support(tmp_path: Path) -> None:
    _, (finding,) = load(tmp_path, python="3.6")
    assert finding.hint == "run the notebook with Python 3.11"


NAMES = {
    "churn.ipynb": "churn",
    "My Notebook (2).ipynb": "my-notebook-2",
    "01_load.ipynb": "01-load",
    "_.ipynb": "pipeline",
    "日本.ipynb": "pipeline",
    "a" * 200 + ".ipynb": "a" * 128,
}


@pytest.mark.parametrize(("file", "expected"), NAMES.items(), ids=NAMES)
def test_the_name_of_the_pipeline_comes_from_the_file(tmp_path: Path, file: str, expected: str) -> None:
    found, findings = settings.load(Notebook(tmp_path / file, CELLS), {})
    assert (found.pipeline_name, findings) == (expected, [])


# ---------------------------------------------------------------------------------------------------------------------
# whatever the values, and real notebooks
# ---------------------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["image", "steps", "tags", "limits", "labels", "cache", "experiment", "packages", "pipeline_name"]
    + ["steps_defaults", "volumes", "docker_image", "security_context", "requirements", "x"]
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4) | VALUES


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLES, TABLES)
def test_arbitrary_metadata_never_raises(tmp_path: Path, kale: object, ours: object) -> None:
    found, _ = load(tmp_path, kubeflow_notebook=kale, kalecompiler=ours)
    assert settings.sanitised(found.pipeline_name) == found.pipeline_name


@hypothesis_settings(max_examples=300, deadline=None)
@given(TABLES)
def test_an_arbitrary_table_is_read_or_refused_with_a_reason(table: object) -> None:
    from kalecompiler.model import Location

    try:
        read_table(table, Location("here"))
    except TableError as error:
        message = str(error)
        assert message, "a reason"


def test_the_original_notebooks_of_kale(shared: Path) -> None:
    manifest = json.loads((shared / "notebooks/manifest.json").read_text())
    found = {}
    for row in manifest:
        book, _ = notebook.read(shared / "notebooks" / row["file"])
        found[Path(row["file"]).stem], findings = settings.load(book, {})
        assert {f.rule.code for f in findings} <= {"KC130", "KC134"}, row["file"]
    assert found["iris"].pipeline_name == "iris-pipeline"
    assert found["iris"].experiment == "iris-experiment"
    assert triples(found["digit-recognizer-kale"].defaults) == [
        ("label", "access-ml-pipeline", "true"),
        ("label", "access-rok", "true"),
    ]
    assert found["house-prices-kale"].image.startswith("gcr.io/arrikto/jupyter-kale-py36@sha256:")


def test_functions_that_the_settings_call_pure_change_nothing(tmp_path: Path) -> None:
    text = """
# %% step:load
rows = [1, 2]
# %% step:look prev:load
import mylib
mylib.stats.score(rows)
# %% step:report prev:look
print(rows)
"""
    path = write_notebook(tmp_path / "n.ipynb", text)

    def producer() -> str:
        (report,) = (s for s in plan(path, {}).draft.steps if s.name == "report")
        return report.inputs[0].producer

    assert producer() == "look"
    (tmp_path / "pyproject.toml").write_text('[tool.kalecompiler]\npure = ["mylib.stats"]\n')
    assert producer() == "load"
