"""Hidden channels: which warning a notebook gets for the state of the process, and which modules it may not guess."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler.plan import Planned, plan


def planned(tmp_path: Path, text: str) -> Planned:
    return plan(write_notebook(tmp_path / "nb.ipynb", text), {})


def told(tmp_path: Path, text: str, *codes: str) -> list[str]:
    """The messages of the findings with these codes."""
    return [d.message for d in planned(tmp_path, text).diagnostics if d.rule.code in codes]


def test_whether_it_is_the_main_program_is_no_hidden_name(tmp_path: Path) -> None:
    asked = "import sys\nif __name__ == '__main__':\n    x = 1"
    assert told(tmp_path, f"# %% step:a\n{asked}", "KC217") == []
    taken = "import sys\nx = vars(sys.modules['__main__'])"
    assert len(told(tmp_path, f"# %% step:a\n{taken}", "KC217")) == 1


def steps(first: str, second: str, shared: str = "") -> str:
    """A notebook with two steps; `shared` are its functions, above them the imports that all rows use."""
    return f"""
# %% imports
import contextlib, decimal, glob, logging, os, subprocess, sys, warnings
import numpy as np
import pandas as pd
# %% functions
{shared}
# %% step:a
{first}
# %% step:b prev:a
{second}
"""


CHANGED = {
    "a lambda with a name": ("go = lambda: os.chdir('/')", "go()", "print(os.getcwd())", "`go`"),
    "a helper handed to a call": (
        "def quiet(x):\n    pd.set_option('display.width', 9)",
        "list(map(quiet, [1]))",
        "print(1)",
        "by calling `map`",
    ),
    "a helper in a dictionary": (
        "def go(): os.chdir('/')\nACTIONS = {'go': go}",
        "ACTIONS['go']()",
        "print(os.getcwd())",
        "`go`",
    ),
    "a partial helper": (
        "from functools import partial\ndef go(folder): os.chdir(folder)\nroot = partial(go, '/')",
        "root()",
        "print(os.getcwd())",
        "`go`",
    ),
    "a method that calls a method of the class above": (
        "class Base:\n    def run(self): self.go()\n    def go(self): os.chdir('/')\nclass Sub(Base): pass",
        "Sub().run()",
        "print(os.getcwd())",
        "`run`",
    ),
    "a property that is assigned": (
        "class C:\n    @property\n    def x(self): return 1\n    @x.setter\n    def x(self, v): os.chdir(v)\nc = C()",
        "c.x = '/'",
        "print(os.getcwd())",
        "`x`",
    ),
    "a constructor": ("class C:\n    def __init__(self): os.chdir('/')", "C()", "print(os.getcwd())", "`C`"),
    "an instance that is called": (
        "class C:\n    def __call__(self): os.chdir('/')\nc = C()",
        "c()",
        "print(os.getcwd())",
        "`c`",
    ),
    "a context manager without an end": (
        "class C:\n    def __enter__(self): os.chdir('/')\n    def __exit__(self, *e): pass",
        "with C(): pass",
        "print(os.getcwd())",
        "`__enter__`",
    ),
    "a function in a function": (
        "def outer():\n    def inner(): os.chdir('/')\n    return inner",
        "outer()()",
        "print(os.getcwd())",
        "`outer`",
    ),
    "recursion": (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n):\n    os.chdir('/')\n    return n != 0 and even(n - 1)",
        "even(4)",
        "print(os.getcwd())",
        "`even`",
    ),
    "an import inside the helper": (
        "def quiet():\n    import pandas as p\n    p.set_option('display.width', 9)",
        "quiet()",
        "print(1)",
        "`quiet`",
    ),
    "an attribute of a module, deleted": ("def cut(): del pd.DataFrame.head", "cut()", "print(1)", "`cut`"),
    "a signal's handler": (
        "import signal",
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "print(signal.getsignal(signal.SIGUSR1))",
        "the module `signal`",
    ),
    "a child process sees the environment": (
        "",
        "os.environ['A'] = '1'",
        "subprocess.run(['env'])",
        "an environment variable",
    ),
    "an accessor registered in a step": (
        "",
        "@pd.api.extensions.register_series_accessor('k')\nclass K:\n    def __init__(self, s): pass",
        "print(1)",
        "`pandas`",
    ),
    "a file that helpers write and read": (
        "def save(df): df.to_csv('out.csv')\ndef load(): return pd.read_csv('out.csv')",
        "save(pd.DataFrame())",
        "df = load()",
        "`save`",
    ),
    "a logger by its attribute": (
        "class Model:\n    def __init__(self): self.log = logging.getLogger('m')\n"
        "    def loud(self): self.log.setLevel(10)",
        "m = Model()\nm.loud()",
        "logging.getLogger('m').debug('x')",
        "the logger `m`",
    ),
    "a logger that a helper returns": (
        "def get(name): return logging.getLogger(name)",
        "get('x').addHandler(logging.StreamHandler())",
        "get('x').info('x')",
        "a logger",
    ),
    "the handlers of the root logger": (
        "",
        "logging.getLogger().handlers.clear()",
        "logging.warning('x')",
        "the root logger",
    ),
    "a logger that another step looks at below it": (
        "",
        "logging.getLogger('x').disabled = True",
        "logging.getLogger('x.y').info('x')",
        "the logger `x`",
    ),
    "a handler that keeps records in itself": (
        "class Keep(logging.Handler):\n    def __init__(self):\n        super().__init__()\n        self.kept = []\n"
        "    def emit(self, record): self.kept.append(record)\nkeep = Keep()\nlogging.getLogger().addHandler(keep)",
        "logging.error('x')",
        "print(keep.kept)",
        "logs to `keep` through `Keep`",
    ),
}


@pytest.mark.parametrize(("shared", "first", "second", "named"), CHANGED.values(), ids=CHANGED)
def test_a_step_that_changes_its_process(tmp_path: Path, shared: str, first: str, second: str, named: str) -> None:
    messages = told(tmp_path, steps(first, second, shared), "KC215", "KC216")
    assert len(messages) == 1
    assert named in messages[0]
    assert "`a`" in messages[0]
    assert "`b`" in messages[0]


KEPT = {
    "a helper that only the functions cell calls": (
        "def go(): pd.set_option('display.width', 9)\ngo()",
        "x = 1",
        "print(x)",
    ),
    "a helper defined in a step and never called": ("", "def go(): os.chdir('/')", "print(os.getcwd())"),
    "a name that is a function's own": (
        "def go(os): os.chdir('/')",
        "class Fake:\n    def chdir(self, x): pass\ngo(Fake())",
        "print(os.getcwd())",
    ),
    "a context manager that puts back": (
        "class C:\n    def __enter__(self): os.chdir('/')\n    def __exit__(self, *e): os.chdir('..')",
        "with C(): pass",
        "print(os.getcwd())",
    ),
    "a step that puts back": (
        "",
        "try:\n    os.chdir('/')\nfinally:\n    os.chdir('x')",
        "print(os.getcwd())",
    ),
    "numpy's own context manager": ("", "with np.errstate(all='ignore'):\n    np.seterr(all='warn')", "print(1)"),
    "a step that does the same before it looks": (
        "",
        "warnings.simplefilter('error')",
        "warnings.simplefilter('error')\nwarnings.warn('x')",
    ),
    "a step that only defines": ("", "pd.set_option('display.width', 9)", "import json\ndef f(): return 1"),
    "a step that only sets the environment": ("", "os.environ['A'] = '1'", "os.environ['A'] = '2'"),
    "loggers of other names": (
        "",
        "logging.getLogger('x').setLevel(10)",
        "logging.getLogger('xy').info('x')",
    ),
    "np.log beside an attribute of that name": (
        "class M:\n    def __init__(self): self.log = logging.getLogger('m')",
        "logging.getLogger('m').setLevel(10)",
        "print(np.log(1))",
    ),
    "a formatter of the notebook": (
        "class F(logging.Formatter):\n    def format(self, record): return 'x'\nfmt = F()",
        "logging.error('x')",
        "print(fmt)",
    ),
}


@pytest.mark.parametrize(("shared", "first", "second"), KEPT.values(), ids=KEPT)
def test_no_warning(tmp_path: Path, shared: str, first: str, second: str) -> None:
    assert told(tmp_path, steps(first, second, shared), "KC215", "KC216") == []


def test_adding_a_handler_again_is_not_the_same(tmp_path: Path) -> None:
    add = "logging.getLogger('x').addHandler(logging.StreamHandler())"
    assert len(told(tmp_path, steps(add, f"{add}\nlogging.getLogger('x').info(1)"), "KC215")) == 1


def test_the_warning_stands_at_the_call_of_the_helper(tmp_path: Path) -> None:
    text = steps("x = 1\ngo()", "print(os.getcwd())", "def go(): os.chdir('/')")
    found = [d for d in planned(tmp_path, text).diagnostics if d.rule.code == "KC215"]
    assert [(d.location.cell, d.location.line) for d in found] == [(3, 2)]


# -- folders of modules ------------------------------------------------------------------------------------------------

ADDED = {
    "append": "sys.path.append('../src')",
    "insert": "sys.path.insert(0, '../src')",
    "extend": "sys.path.extend(['../other', '../src'])",
    "a slice": "sys.path[:0] = ['../src']",
    "an addition": "sys.path += ['../src']",
    "a new list": "sys.path = ['../src'] + sys.path",
    "joined and absolute": "sys.path.append(os.path.abspath(os.path.join('..', 'src')))",
    "from the working directory": "sys.path.append(os.path.join(os.path.dirname(os.getcwd()), 'src'))",
    "a Path": "sys.path.append(str(Path('..').resolve() / 'src'))",
    "the parent of a Path": "sys.path.append(str(Path.cwd().parent / 'src'))",
    "a variable": "root = '..'\nsys.path.append(f'x') if False else None\nsys.path.append(root + '/src')",
    "a magic": "%cd ../src",
    "site": "import site\nsite.addsitedir('../src')",
}


def beside(tmp_path: Path, line: str, imported: str = "import kale_mine") -> Planned:
    """A notebook in a folder of its own, beside it `src` with a module."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "kale_mine.py").write_text("x = 1\n")
    (tmp_path / "notebooks").mkdir()
    text = (
        f"# %% imports\nimport os, sys\nfrom pathlib import Path\n{line}\n{imported}\n# %% step:a\nprint(kale_mine.x)"
    )
    return plan(write_notebook(tmp_path / "notebooks" / "nb.ipynb", text), {})


@pytest.mark.parametrize("line", ADDED.values(), ids=ADDED)
def test_modules_of_added_folders_are_carried(tmp_path: Path, line: str) -> None:
    found = beside(tmp_path, line)
    step = found.draft.steps[0]
    assert step.files == (("kale_mine.py", "x = 1\n"),)
    assert step.packages == ()
    assert [d.rule.code for d in found.diagnostics if d.rule.code == "KC215"] == []


UNSEEN = {
    "an absolute folder": "sys.path.append('/nowhere/src')",
    "a folder that only the run knows": "import tempfile\nsys.path.append(tempfile.mkdtemp())",
    "a folder without the module": "sys.path.append('../other')",
    "the home folder": "sys.path.append('~/src')",
    "what is no path": "sys.path.append('a\\0b')",
}


@pytest.mark.parametrize("line", UNSEEN.values(), ids=UNSEEN)
def test_modules_of_folders_unseen_are_not_taken_for_packages(tmp_path: Path, line: str) -> None:
    found = beside(tmp_path, line)
    problems = [d for d in found.diagnostics if d.rule.code == "KC328"]
    assert [(d.location.cell, d.message.split("`")[1]) for d in problems] == [(1, "kale_mine")]
    assert found.draft.steps[0].packages == ()


@pytest.mark.parametrize(
    ("imported", "packages"),
    [
        ("import numpy, yaml, torch\nkale_mine = numpy", ["numpy", "PyYAML", "torch"]),
        ("%pip install kale-mine==1.2\nimport kale_mine", ["kale-mine==1.2"]),
        ("try:\n    import kale_mine\nexcept ImportError:\n    kale_mine = None", []),
        ("import _pytest.pathlib as kale_mine", ["pytest"]),
    ],
    ids=["known ones", "named by a requirement", "optional", "installed here"],
)
def test_packages_beside_added_folders(tmp_path: Path, imported: str, packages: list[str]) -> None:
    found = beside(tmp_path, "sys.path.append('/nowhere/src')", imported)
    assert [p.requirement for p in found.draft.steps[0].packages] == packages
    assert [d for d in found.diagnostics if d.rule.code == "KC328"] == []


def test_without_a_folder_of_its_own_a_notebook_takes_a_module_for_a_package(tmp_path: Path) -> None:
    assert [p.requirement for p in beside(tmp_path, "x = 1").draft.steps[0].packages] == ["kale-mine"]
