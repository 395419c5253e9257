"""Advice on notebooks that compile: what each rule finds, and above all what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import notebook, write_notebook

from kalecompiler import lint, plan
from kalecompiler.diagnostics import RULES, Diagnostic, Severity
from kalecompiler.lint.pins import pinned
from kalecompiler.lint.stripped import seems_stripped
from kalecompiler.notebook import read

ROOT = Path(__file__).parent.parent
IMPORTS = (
    "# %% imports\nfrom sklearn.model_selection import train_test_split, KFold, ShuffleSplit\n"
    "from sklearn.preprocessing import LabelEncoder, StandardScaler\nfrom sklearn.decomposition import PCA\n"
    "import pandas as pd\nimport numpy as np\nimport random\n"
)


def advice(path: Path, code: str) -> list[Diagnostic]:
    """What one rule finds in a notebook."""
    analysis = plan.analyse(path, {})
    return lint.find(analysis, plan.complete(analysis), frozenset({code}))


def places(tmp_path: Path, code: str, text: str, **metadata: Any) -> list[str]:
    """The places of a rule's findings, as `cell:line:column`, as far as they are known."""
    path = write_notebook(tmp_path / "n.ipynb", text, **metadata)
    found = [d.location for d in advice(path, code)]
    return [":".join(str(part) for part in (at.cell, at.line, at.column) if part is not None) for at in found]


def cell(code: str, head: str = IMPORTS) -> str:
    return f"{head}# %% step:a\n{code}"


# a rule, a notebook, and where the rule finds something
ROWS: dict[str, tuple[str, str, list[str]]] = {
    # KC601
    "a table that another step reads": (
        "KC601",
        IMPORTS + "# %% step:a\nt = pd.DataFrame()\n# %% step:b\nt.head()",
        ["2:1:1"],
    ),
    "a table that stays": ("KC601", IMPORTS + "# %% step:a\nt = pd.DataFrame()\n# %% step:b\n1 + 1", []),
    "a list": ("KC601", "# %% step:a\nt = [1]\n# %% step:b\nprint(t)", []),
    "a table with a handler of the notebook": (
        "KC601",
        IMPORTS
        + "# %% handler\ndef dump_t(value: pd.DataFrame, file):\n    value.to_parquet(file)\n"
        + "def load_t(file):\n    return pd.read_parquet(file)\n"
        + "# %% step:a\nt = pd.DataFrame()\n# %% step:b\nt.head()",
        [],
    ),
    # KC603
    "a loose package": ("KC603", "# %% step:a\nimport numpy\nprint(numpy.pi)", ["1:1:1"]),
    "once for all steps": (
        "KC603",
        "# %% step:a\nimport numpy\nprint(numpy.pi)\n# %% step:b\nimport numpy.linalg",
        ["1:1:1"],
    ),
    "a pinned package": ("KC603", "# %% step:a\n%pip install numpy==2.0.0\nimport numpy", []),
    "the standard library": ("KC603", "# %% step:a\nimport os, json", []),
    # KC604
    "a home folder": ("KC604", "# %% step:a\np = '/home/ada/x.csv'", ["1:1:5"]),
    "behind characters of several bytes": ("KC604", "# %% step:a\né = ('ü', '/home/ada/x.csv')", ["1:1:11"]),
    "a Mac's home": ("KC604", "# %% step:a\nprint('/Users/ada/x.csv')", ["1:1:7"]),
    "Windows": ("KC604", "# %% step:a\np = 'C:\\\\Users\\\\ada\\\\x.csv'", ["1:1:5"]),
    "Colab and Kaggle": (
        "KC604",
        "# %% step:a\np = ['/content/drive/My Drive/x', '/kaggle/input/titanic/a.csv']",
        ["1:1:6", "1:1:35"],
    ),
    "the head of an f-string": ("KC604", "# %% step:a\nn = 1\np = f'/home/ada/{n}.csv'", ["1:2:5"]),
    "a default of a parameter": (
        "KC604",
        "# %% pipeline-parameters\np = '/home/ada/x'\n# %% step:a\nprint(p)",
        ["1:1:5"],
    ),
    "a path of the image": (
        "KC604",
        "# %% step:a\np = ['/tmp/x', '/data/x.csv', '/home', '/homework/a/b', 'home/ada/x']",
        [],
    ),
    "a folder that a volume gives": (
        "KC604",
        "# %% step:a volume:data:/home/ada\np = ['/home/ada/x.csv', '/home/bob/x.csv']\n"
        "# %% step:b\np = '/home/ada/x.csv'",
        ["1:1:25", "2:1:5"],
    ),
    "an address": ("KC604", "# %% step:a\np = 'https://example.com/home/ada/x'", []),
    "a docstring": ("KC604", "# %% step:a\n'/home/ada/x is where it was'", []),
    "a skipped cell": ("KC604", "# %% skip\np = '/home/ada/x'\n# %% step:a\nprint(1)", []),
    # KC605
    "a table beside the notebook": ("KC605", cell("t = pd.read_csv('train.csv')"), ["2:1:5"]),
    "a path put together": ("KC605", cell("d = 'data/'\nt = pd.read_csv(d + 'train.csv')"), ["2:2:5"]),
    "a path of pathlib": (
        "KC605",
        cell("from pathlib import Path\nd = Path('data')\nt = (d / 'x.txt').read_text()"),
        ["2:3:5"],
    ),
    "open": ("KC605", cell("with open('x.json') as f:\n    print(f.read())"), ["2:1:6"]),
    "said once": ("KC605", cell("t = open('x.json')\nu = open('x.json')"), ["2:1:5"]),
    "a home folder by its sign": ("KC605", cell("t = pd.read_csv('~/train.csv')"), ["2:1:5"]),
    "in a folder above": ("KC605", cell("t = pd.read_csv('../data/train.csv')"), ["2:1:5"]),
    "written before": ("KC605", cell("pd.DataFrame().to_csv('x.csv')\nt = pd.read_csv('x.csv')"), []),
    "written by numpy, which adds a suffix": ("KC605", cell("np.save('x', np.ones(1))\na = np.load('x.npy')"), []),
    "opened to write": ("KC605", cell("f = open('x.csv', 'w')\nt = pd.read_csv('x.csv')"), []),
    "written by an earlier step, which KC216 says": (
        "KC605",
        cell("pd.DataFrame().to_csv('x.csv')\n# %% step:b\nt = pd.read_csv('x.csv')"),
        [],
    ),
    "downloaded": ("KC605", cell("!wget https://example.com/x.csv\nt = pd.read_csv('x.csv')"), []),
    "downloaded by a library": (
        "KC605",
        cell(
            "from urllib.request import urlretrieve\n"
            "urlretrieve('https://example.com/x', 'x.csv')\nt = pd.read_csv('x.csv')"
        ),
        [],
    ),
    "asked for": ("KC605", cell("import os\nif os.path.exists('x.csv'):\n    t = pd.read_csv('x.csv')"), []),
    "a step with a volume": (
        "KC605",
        IMPORTS + "# %% step:a volume:data:/data\nt = pd.read_csv('x.csv')",
        [],
    ),
    "an absolute path": ("KC605", cell("t = pd.read_csv('/data/x.csv')"), []),
    "a bucket": ("KC605", cell("t = pd.read_csv('s3://bucket/x.csv')"), []),
    "a path that is a parameter": (
        "KC605",
        "# %% pipeline-parameters\np = 'x.csv'\n" + cell("t = pd.read_csv(p)"),
        [],
    ),
    "a path bound twice": ("KC605", cell("p = 'x.csv'\np = input_of = '/data/x.csv'\nt = pd.read_csv(p)"), []),
    "a stream": ("KC605", cell("import io\nt = pd.read_csv(io.StringIO('a,b'))"), []),
    "%%writefile": ("KC605", "# %% functions\n%%writefile x.csv\na,b\n" + cell("t = pd.read_csv('x.csv')"), []),
    "paths of nothing": ("KC605", cell("from pathlib import Path\na, b = Path(), f''\nopen(Path())"), []),
    "text that is no path": ("KC605", cell("t = pd.read_json('{\"a\": [1]}')"), []),
    # KC606
    "a result that nobody reads": ("KC606", cell("x = [1, 2]\ntotal = sum(x)"), ["2"]),
    "a fit alone": ("KC606", cell("m = StandardScaler()\nm.fit([[1.0]])"), ["2"]),
    "printed": ("KC606", cell("print(sum([1]))"), []),
    "shown": ("KC606", cell("x = [1]\nx"), []),
    "written to a file": ("KC606", cell("pd.DataFrame().to_csv('x.csv')"), []),
    "checked": ("KC606", cell("x = 1\nassert x"), []),
    "read elsewhere": ("KC606", cell("x = 1\n# %% step:b\nprint(x)"), []),
    "a metric": ("KC606", cell("x = 1.0\n# %% pipeline-metrics\nx"), []),
    "a call that nobody knows": ("KC606", "# %% functions\ndef push(x):\n    print(x)\n# %% step:a\ny = push(1)", []),
    "a library that nobody knows": ("KC606", cell("import requests\nr = requests.post('https://example.com')"), []),
    "a module's state": ("KC606", cell("import os\nos.environ['A'] = 'b'"), []),
    "a state of numpy": ("KC606", cell("old = np.seterr(all='raise')"), []),
    "a definition that others use": ("KC606", cell("def f():\n    return 1\n# %% step:b\nprint(f())"), []),
    "a shell line": ("KC606", cell("!ls"), []),
    "a step without code, which KC121 says": ("KC606", cell("# nothing"), []),
    "a notebook with errors": ("KC606", cell("x = sum([1])\n# %% step:b\nprint(nowhere)"), []),
    # KC607
    "a heavy import that is not used": ("KC607", "# %% step:a\nimport torch\nprint(1)", ["1:1:1"]),
    "one from it": ("KC607", "# %% step:a\nfrom tensorflow.keras import layers\nprint(1)", ["1:1:1"]),
    "used": ("KC607", "# %% step:a\nimport torch\nprint(torch.ones(1))", []),
    "used in another step": ("KC607", "# %% step:a\nimport torch\n# %% step:b\nprint(torch.ones(1))", []),
    "its library used otherwise": (
        "KC607",
        "# %% step:a\nimport torch\nfrom torch import nn\nprint(nn.Linear(1, 1))",
        [],
    ),
    "in a cell tagged imports": ("KC607", "# %% imports\nimport torch\n# %% step:a\nprint(1)", []),
    "a light import": ("KC607", "# %% step:a\nimport json\nprint(1)", []),
    "with a star": ("KC607", "# %% imports\nfrom torch import *\n# %% step:a\nprint(1)", []),
    # KC608
    "a split without a seed": ("KC608", cell("a, b = train_test_split([1, 2])"), ["2:1:8"]),
    "a splitter": ("KC608", cell("s = ShuffleSplit(n_splits=3)"), ["2:1:5"]),
    "folds that are shuffled": ("KC608", cell("s = KFold(3, shuffle=True)"), ["2:1:5"]),
    "folds in order": ("KC608", cell("s = KFold(3)"), []),
    "without shuffling": ("KC608", cell("a, b = train_test_split([1, 2], shuffle=False)"), []),
    "with a seed": ("KC608", cell("a, b = train_test_split([1, 2], random_state=1)"), []),
    "with a seed above": ("KC608", cell("np.random.seed(1)\na, b = train_test_split([1, 2])"), []),
    "with a seed in the imports": (
        "KC608",
        IMPORTS + "np.random.seed(1)\n# %% step:a\na, b = train_test_split([1, 2])",
        [],
    ),
    "with a seed too late": ("KC608", cell("a, b = train_test_split([1, 2])\nnp.random.seed(1)"), ["2:1:8"]),
    "options that cannot be seen": ("KC608", cell("o = {}\na, b = train_test_split([1, 2], **o)"), []),
    "a function that is called under a seed": (
        "KC608",
        IMPORTS
        + "# %% functions\ndef f(x):\n    return train_test_split(x)\n# %% step:a\nnp.random.seed(1)\nf([1, 2])",
        [],
    ),
    "a function of the notebook of that name": (
        "KC608",
        "# %% functions\ndef train_test_split(x):\n    return x, x\n# %% step:a\na, b = train_test_split([1])",
        [],
    ),
    "torch": (
        "KC608",
        "# %% imports\nfrom torch.utils.data import random_split\n# %% step:a\na = random_split([1], [1])",
        ["2:1:5"],
    ),
    # KC609
    "a scaler before the split": (
        "KC609",
        cell("X = np.ones((4, 2))\nX = StandardScaler().fit_transform(X)\na, b = train_test_split(X)"),
        ["2:3:8"],
    ),
    "in steps of their own": (
        "KC609",
        cell(
            "s = StandardScaler()\nZ = s.fit_transform(np.ones((4, 2)))\n"
            "# %% step:b\na, b = train_test_split(Z, random_state=1)"
        ),
        ["3:1:8"],
    ),
    "fit and transform": (
        "KC609",
        cell("X = np.ones((4, 2))\ns = PCA()\ns.fit(X)\nX = s.transform(X)\na, b = train_test_split(X)"),
        ["2:5:8"],
    ),
    "columns of a table": (
        "KC609",
        cell(
            "t = pd.DataFrame({'a': [1.0], 'y': [1]})\nt[['a']] = StandardScaler().fit_transform(t[['a']])\n"
            "X = t.drop('y', axis=1)\na, b = train_test_split(X)"
        ),
        ["2:4:8"],
    ),
    "in a new table": (
        "KC609",
        cell("X = pd.DataFrame(StandardScaler().fit_transform(np.ones((4, 2))))\na, b = train_test_split(X)"),
        ["2:2:8"],
    ),
    "after the split": (
        "KC609",
        cell(
            "a, b = train_test_split(np.ones((4, 2)))\ns = StandardScaler()\na = s.fit_transform(a)\nb = s.transform(b)"
        ),
        [],
    ),
    "a second split, of the training data": (
        "KC609",
        cell(
            "a, b = train_test_split(np.ones((8, 2)))\n"
            "z = StandardScaler().fit_transform(a)\nc, d = train_test_split(z)"
        ),
        [],
    ),
    "codes of labels": ("KC609", cell("y = LabelEncoder().fit_transform([1, 2])\na, b = train_test_split(y)"), []),
    "another variable": (
        "KC609",
        cell("X = np.ones((4, 2))\nZ = StandardScaler().fit_transform(X)\na, b = train_test_split(X)"),
        [],
    ),
    "bound anew": (
        "KC609",
        cell("X = StandardScaler().fit_transform(np.ones((4, 2)))\nX = np.ones((4, 2))\na, b = train_test_split(X)"),
        [],
    ),
    "a class of the notebook": (
        "KC609",
        "# %% imports\nfrom sklearn.model_selection import train_test_split\n# %% functions\nclass StandardScaler:\n"
        "    def fit_transform(self, x):\n        return x\n# %% step:a\nX = StandardScaler().fit_transform([1, 2])\n"
        "a, b = train_test_split(X)",
        [],
    ),
    # KC612
    "an old step": ("KC612", "# %% block:a\nprint(1)", ["1"]),
    "old imports": ("KC612", "# %% block:imports\nimport os\n# %% step:a\nprint(os.sep)", ["1"]),
    "an old cell that goes on": ("KC612", "# %% step:a\nprint(1)\n# %% block:\nprint(2)", ["2"]),
    "present tags": ("KC612", "# %% step:a\nprint(1)\n# %% step:\nprint(2)\n# %% parameters\nx = 1", []),
}


@pytest.mark.parametrize(("code", "text", "expected"), ROWS.values(), ids=[f"{r[0]} {k}" for k, r in ROWS.items()])
def test_where_a_rule_finds_something(tmp_path: Path, code: str, text: str, expected: list[str]) -> None:
    assert places(tmp_path, code, text) == expected


KEY = "AKIA" + "Q3EGRTXKPLM4ZYVB"  # made up, and put together so that no scanner takes it for one
TOKEN = "ghp_" + "a1B2" * 9
# a cell, and the secret in it; nothing may say it
SECRETS = {
    "a password": ("password = 'tr0ub4dor3'", "tr0ub4dor3"),
    "a keyword": ("connect(user='me', password='tr0ub4dor3')", "tr0ub4dor3"),
    "a key of a dict": ("config = {'user': 'me', 'passwd': 'tr0ub4dor3'}", "tr0ub4dor3"),
    "an item": ("import os\nos.environ['AWS_SECRET_ACCESS_KEY'] = 'abcd1234ABCD5678abcd'", "abcd1234ABCD5678abcd"),
    "an attribute": ("openai.api_key = 'abcdefgh12345678'", "abcdefgh12345678"),
    "an annotated name": ("db_password: str = 'tr0ub4dor3'", "tr0ub4dor3"),
    "a default": ("def f(password='tr0ub4dor3'):\n    return password", "tr0ub4dor3"),
    "camel case": ("clientSecret = 'tr0ub4dor3'", "tr0ub4dor3"),
    "an AWS key": (f"print('{KEY}')", KEY),
    "a GitHub token": (f"x = '{TOKEN}'", TOKEN),
    "in a comment": (f"x = 1  # {TOKEN}", TOKEN),
    "in an address": ("u = 'postgresql://me:tr0ub4dor3@db.example.com/x'", "tr0ub4dor3"),
    "a private key": ("k = '''-----BEGIN RSA PRIVATE KEY-----\nabc\n'''", "-----BEGIN RSA PRIVATE KEY-----"),
    "a magic": ("%env API_TOKEN=abcd1234efgh5678", "abcd1234efgh5678"),
    "a shell line": ("!export DB_PASSWORD=tr0ub4dor3", "tr0ub4dor3"),
    "behind characters of several bytes": ("ü, password = 'é', 1\npassword = 'pässw0rd'", "pässw0rd"),
}
# cells without a secret
HARMLESS = [
    "password = os.environ['PASSWORD']",
    "password = getpass.getpass()",
    "password = ''",
    "password = '<your password>'",
    "password = 'YOUR_PASSWORD'",
    "password = ********",
    "password = 'changeme'",
    "password = 'password'",
    "connect('postgresql://user:password@localhost/x')",
    "connect('postgresql://user:{password}@localhost/x')",
    "token = 'the'",
    "pad_token = '<pad>'",
    "eos_token = '[EOS]' * 4",
    "tokens = 'a1b2c3d4e5f6a7b8c9'",
    "key = 'a1b2c3d4e5f6a7b8c9'",
    "api_key = 'your-api-key-goes-here-12345'",
    "secret_name = 'database'",
    "reset_password_url = 'https://example.com/reset'",
    "message = 'the password is secret'",
    "columns = {'token': 'token', 'password': 'Password'}",
    "commit = '9b5c0b0af384ce86edb17dd43f63fce9fddaa349'",
    "sk = 'sk-learn-is-the-name-of-a-library-for-machines'",
    "email = 'https://me@example.com'",
]


@pytest.mark.parametrize(("code", "secret"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("kind", ["step:a", "pipeline-parameters", "skip", "[raw]"])
def test_a_secret_is_found_and_never_said(tmp_path: Path, code: str, secret: str, kind: str) -> None:
    path = write_notebook(tmp_path / "n.ipynb", f"# %% {kind}\n{code}\n# %% step:b\nprint(1)")
    found = advice(path, "KC602")
    by_form = "a1B2" in secret or secret in (KEY, "-----BEGIN RSA PRIVATE KEY-----") or "://" in code or code[0] in "!%"
    if kind in ("skip", "[raw]") and not by_form:
        assert not found  # only code that is read tells what a name holds
        return
    assert [d.location.cell for d in found] == [1]
    (finding,) = found
    line = code.split("\n")[(finding.location.line or 0) - 1]
    assert finding.location.line is not None
    assert secret in line or "BEGIN" in line
    assert line[(finding.location.column or 0) - 1 :].lstrip("'").startswith(secret)
    assert secret not in str(finding)
    assert "********" in str(finding.location.source)


@pytest.mark.parametrize("code", HARMLESS)
def test_what_is_no_secret(tmp_path: Path, code: str) -> None:
    assert places(tmp_path, "KC602", f"# %% step:a\n{code}") == []


def test_one_finding_a_line_and_the_certain_one(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", f"# %% step:a\naws_access_key = '{KEY}'")
    assert [d.message for d in advice(path, "KC602")] == ["an AWS access key stands in a code cell"]


def test_no_secret_of_a_line_is_said(tmp_path: Path) -> None:
    other, token = f"{KEY[:-1]}Q", "ghp_" + "a1B2" * 10
    code = f"keys = ['{KEY}', '{other}', '{token}']; password = 'tr0ub4dor3'"
    (finding,) = advice(write_notebook(tmp_path / "n.ipynb", f"# %% step:a\n{code}"), "KC602")
    masked = "keys = ['********', '********', '********']; password = ********"
    assert finding.location.source == masked


def test_a_secret_in_a_parameter_is_said_to_be_its_default(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% pipeline-parameters\npassword = 'tr0ub4dor3'\n# %% step:a\nx = 1")
    assert "in a pipeline parameter's default" in advice(path, "KC602")[0].message


# the execution counts of three cells, and the cell that is out of order
COUNTS: dict[str, tuple[list[int | None], list[int]]] = {
    "in order": ([1, 2, 3], []),
    "with gaps": ([3, 7, 9], []),
    "never run": ([None, None, None], []),
    "one not run": ([1, None, 2], []),
    "the last first": ([2, 3, 1], [3]),
    "the first again": ([9, 2, 3], [2]),
    "in reverse, said once": ([3, 2, 1], [2]),
}


@pytest.mark.parametrize(("counts", "expected"), COUNTS.values(), ids=COUNTS)
def test_execution_counts(tmp_path: Path, counts: list[int | None], expected: list[int]) -> None:
    document = notebook("# %% step:a\nx = 1\n# %% step:b\nprint(x)\n# %% step:c\nprint(x)")
    for raw, count in zip(document["cells"], counts, strict=True):
        raw["execution_count"] = count
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(document))
    assert [d.location.cell for d in advice(path, "KC610")] == expected


# a notebook, its metadata, and whether it seems to have lost its tags
STRIPPED = {
    "Kale's metadata and no tags": ("# %%\nprint(1)", {"kubeflow_notebook": {"pipeline_name": "x"}}, True),
    "ours and no tags": ("# %%\nprint(1)", {"kalecompiler": {"image": "x"}}, True),
    "with a tag of another tool": ("# %% hide-input\nprint(1)", {"kubeflow_notebook": {"pipeline_name": "x"}}, False),
    "with tags": ("# %% step:a\nprint(1)", {"kubeflow_notebook": {"pipeline_name": "x"}}, False),
    "no metadata": ("# %%\nprint(1)", {}, False),
    "empty metadata": ("# %%\nprint(1)", {"kubeflow_notebook": {}}, False),
    "no code": ("# %% [markdown]\nwords", {"kubeflow_notebook": {"pipeline_name": "x"}}, False),
}


@pytest.mark.parametrize(("text", "metadata", "expected"), STRIPPED.values(), ids=STRIPPED)
def test_stripped_tags(tmp_path: Path, text: str, metadata: dict[str, Any], expected: bool) -> None:
    path = write_notebook(tmp_path / "n.ipynb", text, **metadata)
    assert seems_stripped(read(path)[0]) is expected
    assert bool(advice(path, "KC611")) is expected


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("numpy", False),
        ("numpy>=1", False),
        ("numpy==1.*", False),
        ("numpy==1.26.4", True),
        ("numpy[extra]===1.26", True),
        ("git+https://example.com/x.git", True),
        ("x @ https://example.com/x.whl", True),
    ],
)
def test_pinned(requirement: str, expected: bool) -> None:
    assert pinned(requirement) is expected


def test_all_of_them_are_warnings_and_none_is_asked_by_compile(tmp_path: Path) -> None:
    codes = [rule for code, rule in RULES.items() if code.startswith("KC6")]
    assert {rule.severity for rule in codes} == {Severity.WARNING}
    path = write_notebook(tmp_path / "n.ipynb", "# %% step:a\npassword = 'tr0ub4dor3'\nx = open('x.csv')")
    assert not [d for d in plan.plan(path, {}).diagnostics if d.rule.code.startswith("KC6")]


def test_only_what_is_wanted_is_looked_for(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% block:a\npassword = 'tr0ub4dor3'\nx = open('x.csv')")
    assert {d.rule.code for d in advice(path, "KC605")} == {"KC605"}
    analysis = plan.analyse(path, {})
    assert lint.find(analysis, plan.complete(analysis), frozenset({"KC201"})) == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_examples_are_an_example(path: Path) -> None:
    analysis = plan.analyse(path, {})
    default = frozenset(code for code, rule in RULES.items() if rule.on)
    assert lint.find(analysis, plan.complete(analysis), default) == []


#: Every finding of the rules that are on, in the real notebooks: each was looked at, and is right.
REAL = {
    "dog-breed.ipynb": ["KC605 40:1", "KC605 54:1"],
    "house-prices-kale.ipynb": ["KC605 8:3", "KC605 8:4", "KC606 70:None"],
    "iris.ipynb": ["KC608 9:1"],
    "open-vaccine.ipynb": ["KC605 16:1"],
    "r06_iris_sklearn.ipynb": ["KC608 9:1"],
    "taxicab-pipeline.ipynb": ["KC605 10:11"],
    "titanic-dataset-ml.ipynb": ["KC605 5:5", "KC605 5:6"],
}


def test_real_notebooks_get_few_findings_and_these(shared: Path) -> None:
    default = frozenset(code for code, rule in RULES.items() if rule.on)
    found: dict[str, list[str]] = {}
    for path in sorted((shared / "notebooks").rglob("*.ipynb")):
        analysis = plan.analyse(path, {})
        for d in lint.find(analysis, plan.complete(analysis), default):
            found.setdefault(path.name, []).append(f"{d.rule.code} {d.location.cell}:{d.location.line}")
    assert {name: sorted(lines) for name, lines in found.items()} == {n: sorted(rows) for n, rows in REAL.items()}
