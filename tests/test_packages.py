"""Imports, the packages that they need, requirements files, and modules beside the notebook."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import write_notebook

from kalecompiler import packages, requirementfile
from kalecompiler.imports import Import, imports_of, relative_imports
from kalecompiler.localmodules import LocalModules, local_modules
from kalecompiler.packages import distribution, doubts, resolve
from kalecompiler.plan import plan


def imported(*modules: str) -> list[Import]:
    return [Import(module, 1) for module in modules]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import a.b as c, d", ["a.b", "d"]),
        ("from a import b, c", ["a.b", "a.c"]),
        ("from a.b import *", ["a.b"]),
        ("def f():\n    class C:\n        import a", ["a"]),
        ("x = __import__('a')", ["a"]),
        ("import importlib\nimportlib.import_module('a.b')", ["importlib", "a.b"]),
        ("import_module('.a', 'b')", []),
        ("__import__(name)", []),
        ("from . import a", []),
        ("try:\n    import a\nfinally:\n    import b", ["a", "b"]),
        ("lambda: __import__('a')", ["a"]),
    ],
)
def test_imports(code: str, modules: list[str]) -> None:
    assert [item.module for item in imports_of(code)] == modules
    assert imports_of(ast.parse(code)) == imports_of(code)


@pytest.mark.parametrize(
    ("code", "package", "modules"),
    [
        ("from . import a", "p", ["p.a"]),
        ("from .a import b", "p.q", ["p.q.a.b"]),
        ("from .. import a", "p.q", ["p.a"]),
        ("from ...a import b", "p.q", []),
        ("from . import *", "p", ["p"]),
    ],
)
def test_relative_imports_in_a_package(code: str, package: str, modules: list[str]) -> None:
    assert [item.module for item in imports_of(code, package)] == modules


def test_lines_and_guards() -> None:
    code = "import a\ntry:\n    import b\nexcept (ImportError, OSError):\n    import c\nelse:\n    import d\nimport e"
    assert imports_of(code) == (
        Import("a", 1), Import("b", 3, True), Import("c", 5, True), Import("d", 7), Import("e", 8),
    )  # fmt: skip


def test_relative_import_in_a_cell() -> None:
    [problem] = relative_imports(ast.parse("x = 1\nfrom .a import b"))
    assert (problem.rule.code, problem.line, problem.column) == ("KC320", 2, 1)
    assert problem.message.startswith("`from .a import b`")
    assert problem.hint == "write `from a import ...`"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.svm.SVC", "scikit-learn"),
        ("cv2", "opencv-python-headless"),
        ("PIL.Image", "pillow"),
        ("yaml", "PyYAML"),
        ("bs4", "beautifulsoup4"),
        ("dateutil.parser", "python-dateutil"),
        ("Crypto.Cipher", "pycryptodome"),
        ("google.cloud.storage.Client", "google-cloud-storage"),
        ("google.cloud.bigquery", "google-cloud-bigquery"),
        ("google.protobuf.json_format", "protobuf"),
        ("mpl_toolkits.mplot3d.Axes3D", "matplotlib"),
        ("pkg_resources", "setuptools"),
        ("tensorflow.keras.layers", "tensorflow"),
        ("attr", "attrs"),
        ("jwt", "PyJWT"),
        ("IPython.display.display", "ipython"),
        ("pandas", "pandas"),
        ("my_own_thing.sub", "my-own-thing"),
        ("os.path", None),
        ("distutils.core", None),
        ("tomllib", None),
        ("imp", None),
        ("__future__.annotations", None),
        ("__main__", None),
        ("google.colab.drive", None),
        ("google", None),
        ("größe", None),
    ],
)
def test_distribution(module: str, name: str | None) -> None:
    assert distribution(module) == name


def test_standard_library_does_not_depend_on_this_python() -> None:
    assert all(packages.is_standard(name) for name in sys.stdlib_module_names if name not in ("test", "idlelib"))


def test_table_is_large_sorted_by_nothing_but_has_no_row_twice() -> None:
    text = Path(packages.__file__).with_name("distributions.txt").read_text(encoding="utf-8")
    modules = [line.partition(" = ")[0] for line in text.splitlines() if " = " in line and not line.startswith("#")]
    assert len(modules) == len(set(modules)) >= 250


def written(**sources: list[str]) -> dict[str, list[str]]:
    return sources


@pytest.mark.parametrize(
    ("modules", "sources", "expected"),
    [
        (["sklearn.svm", "sklearn"], {}, [("scikit-learn", "sklearn")]),
        (["numpy", "os", "pandas"], {}, [("numpy", "numpy"), ("pandas", "pandas")]),
        (["pandas"], written(pip=["pandas==2.1"]), [("pandas==2.1", "pandas")]),
        (["pandas"], written(pip=["pandas"], pinned=["pandas==2.2"]), [("pandas==2.2", "pandas")]),
        (["pandas"], written(pip=["pandas>=1"], pinned=["pandas==2.2"]), [("pandas>=1", "pandas")]),
        (["pandas"], written(extra=["pandas<3"], pinned=["pandas==2.2"]), [("pandas<3", "pandas")]),
        (["pandas"], written(pip=["pandas==1", "pandas==2"]), [("pandas==2", "pandas")]),
        (["ray"], written(pip=["ray[tune]"], pinned=["ray==2.9"]), [("ray[tune]==2.9", "ray")]),
        (["cv2"], written(pip=["opencv-python"]), [("opencv-python", "cv2")]),
        (["tensorflow.keras"], written(pinned=["tensorflow_cpu==2.16.1"]), [("tensorflow_cpu==2.16.1", "tensorflow")]),
        (["sklearn"], written(pip=["Scikit_Learn>1"]), [("Scikit_Learn>1", "sklearn")]),
        ([], written(pip=["pyarrow"], pinned=["pyarrow==15"]), [("pyarrow==15", "")]),
        ([], written(pip=["git+https://x.org/a.git"]), [("git+https://x.org/a.git", "")]),
        (["a"], written(pip=["git+https://x.org/a.git#egg=a"]), [("git+https://x.org/a.git#egg=a", "a")]),
        (["a"], written(pip=["a @ https://x.org/a.whl"]), [("a @ https://x.org/a.whl", "a")]),
        ([], written(extra=["boto3"]), [("boto3", "")]),
        (["boto3"], written(extra=["boto3"]), [("boto3", "boto3")]),
        ([], written(pinned=["numpy==1.26", "jupyter==1"]), []),
        (["google.cloud.storage.Client"], {}, [("google-cloud-storage", "google.cloud.storage")]),
        (["pkg_resources", "setuptools"], {}, [("setuptools", "pkg_resources")]),
        (
            ["a"],
            written(pinned=['a==1; python_version < "3.11"', 'a==2; python_version >= "3.11"']),
            [('a==1; python_version < "3.11"', "a"), ('a==2; python_version >= "3.11"', "a")],
        ),
    ],
    ids=[
        "the table", "several, without the standard library", "a version from pip", "a version from the lock",
        "pip before the lock", "settings before the lock", "the last of two pips", "extras with a pinned version",
        "another provider of the module", "a pinned other provider", "names are normalised",
        "a pip package that nothing imports", "an address without a name", "an address with a name",
        "a direct reference",
        "a package of the settings", "a package of the settings that is imported", "a lock installs nothing by itself",
        "a module of a namespace", "two modules of one distribution", "markers",
    ],
)  # fmt: skip
def test_resolve(modules: list[str], sources: dict[str, list[str]], expected: list[tuple[str, str]]) -> None:
    found = resolve(imported(*modules), **sources)
    assert [(p.requirement, p.module) for p in found] == expected


def test_pip_package_that_another_step_imports_is_not_for_this_step() -> None:
    found = resolve(imported("numpy"), everywhere=imported("numpy", "pandas"), pip=["pandas==2", "pyarrow"])
    assert [p.requirement for p in found] == ["numpy", "pyarrow"]


def test_optional_import_is_a_package_only_where_a_requirement_names_it() -> None:
    optional = [Import("cupy", 1, optional=True)]
    assert resolve(optional) == ()
    assert [p.requirement for p in resolve(optional, pip=["cupy==13"])] == ["cupy==13"]


@settings(max_examples=100, deadline=None)
@given(st.permutations(["numpy", "sklearn.svm", "sklearn.tree", "yaml", "google.cloud.storage", "pkg_resources"]))
def test_order_of_imports_does_not_matter(modules: list[str]) -> None:
    assert resolve(imported(*modules)) == resolve(imported(*sorted(modules)))


def test_doubt_about_an_optional_import() -> None:
    [problem] = doubts([Import("cupy.linalg", 3, optional=True), Import("json", 4, optional=True)])
    assert (problem.rule.code, problem.line, problem.module) == ("KC326", 3, "cupy.linalg")
    assert not doubts([Import("cupy", 3, optional=True)], extra=["cupy"])


@pytest.mark.parametrize(
    ("pip", "pinned", "shown"),
    [
        (["pandas==1", "pandas==2"], [], "`pandas==1`, `pandas==2`"),
        (["pandas<2"], ["pandas==2.2"], "`pandas<2`, `pandas==2.2`"),
        (["pandas<3"], ["pandas==2.2"], None),
        (["pandas", "pandas==2"], ["pandas==2"], None),
    ],
)
def test_doubt_about_versions(pip: list[str], pinned: list[str], shown: str | None) -> None:
    found = doubts([], pip=pip, pinned=pinned)
    assert [p.rule.code for p in found] == (["KC331"] if shown else [])
    assert shown is None or shown in found[0].message


def test_doubt_where_the_environment_knows_another_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "frobnicate_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frobnicate-tools\nVersion: 1.0\n")
    (info / "RECORD").write_text("frob/__init__.py,,\n")
    (tmp_path / "frob").mkdir()
    (tmp_path / "frob" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    packages._environment.cache_clear()
    [problem] = doubts(imported("frob.sub", "frob.other"))
    packages._environment.cache_clear()
    assert problem.rule.code == "KC330"
    assert (
        problem.message
        == "module `frob` comes from `frobnicate-tools` in this environment, and from `frob` in the step"
    )
    assert [p.requirement for p in resolve(imported("frob"))] == ["frob"]


def test_no_doubt_about_what_is_installed_as_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_environment", lambda: pytest.fail("read all metadata without need"))
    assert not doubts(imported("yaml", "networkx", "not_installed_anywhere", "os"))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("numpy==1.26.4\n# comment\n\npandas  # why\n", ["numpy==1.26.4", "pandas"]),
        ("a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nb==2", ["a==1", "b==2"]),
        ('a==1; python_version < "3.9"', ['a==1; python_version < "3.9"']),
        ("--index-url https://x.org\n-i https://y.org\n-e .\n./local.whl\na", ["a"]),
        ("-r more.txt\nb", ["more==1", "b"]),
        ("-rmore.txt\n--requirement=more.txt", ["more==1", "more==1"]),
        ("a @ https://x.org/a#frag", ["a @ https://x.org/a#frag"]),
        ("a @ https://x.org/a.whl\nhttps://x.org/b.tar.gz", ["a @ https://x.org/a.whl", "https://x.org/b.tar.gz"]),
        ("a @ file:///croot/a\nb.zip\nc[x]@./c", []),
        ("\ufeffa\r\nb\r\n", ["a", "b"]),
        ("a[x,y]>=1,<2", ["a[x,y]>=1,<2"]),
        ("", []),
    ],
    ids=[
        "comments", "a lock with hashes", "markers", "options and paths", "another file", "spellings of another file",
        "a direct reference", "files of an address", "files of this machine", "a byte order mark and Windows line ends",
        "extras", "an empty file",
    ],
)  # fmt: skip
def test_requirements_file(tmp_path: Path, text: str, lines: list[str]) -> None:
    (tmp_path / "more.txt").write_text("more==1\n")
    (tmp_path / "requirements.txt").write_bytes(text.encode())
    found = requirementfile.read_reference("-r requirements.txt", tmp_path)
    assert (list(found.lines), found.problems) == (lines, ())


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        (b"not a requirement", "on line 1 what is not a requirement: `not a requirement`", "one requirement a line"),
        (b"a\\\n\n=b", "line 3", "one requirement a line"),
        (b"\xff\xfe", "is not UTF-8 text", "save it as UTF-8"),
        (b"-r requirements.txt", "names itself", "remove the line"),
        (b"-r nowhere.txt", "`nowhere.txt` cannot be read: no such file or directory", "put it there"),
        (b"a\nb @ git+HTTPS://me:tok3n@x.org/b", "is wrong on line 2: it holds an address with a user", "leave it out"),
    ],
    ids=["no requirement", "no requirement further down", "other encoding", "a circle", "a missing file", "a password"],
)
def test_bad_requirements_file(tmp_path: Path, text: bytes, message: str, cure: str) -> None:
    (tmp_path / "requirements.txt").write_bytes(text)
    [problem] = requirementfile.read_requirements(tmp_path / "requirements.txt").problems
    assert problem.rule.code == "KC322"
    assert message in problem.message
    assert cure in (problem.hint or "")
    assert "tok3n" not in f"{problem.message} {problem.hint}"


def test_constraints_give_versions_and_install_nothing(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-c pins.txt\npandas")
    (tmp_path / "pins.txt").write_text("pandas==2\nscipy==1")
    found = requirementfile.read_reference("-r requirements.txt", tmp_path)
    assert (found.lines, found.pinned) == (("pandas",), ("pandas==2", "scipy==1"))
    found = requirementfile.read_reference("-c requirements.txt", tmp_path)
    assert (found.lines, found.pinned) == ((), ("pandas", "pandas==2", "scipy==1"))


def test_missing_requirements_file_of_a_cell_is_a_warning(tmp_path: Path) -> None:
    found = requirementfile.read_reference("-r requirements.txt", tmp_path)
    assert [p.rule.code for p in found.problems] == ["KC321"]


def test_requirements_file_that_a_cell_writes(tmp_path: Path) -> None:
    found = requirementfile.read_reference("-r r.txt", tmp_path, {"r.txt": "pandas==2\n"})
    assert found.lines == ("pandas==2",)


def folder_of(root: Path, files: dict[str, str]) -> Path:
    """A folder with files: path -> text."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def found_in(root: Path, files: dict[str, str], *modules: str, **written_files: str) -> LocalModules:
    cell_files = {f"{name}.py": text for name, text in written_files.items()}
    return local_modules(folder_of(root, files), [Import(m, 7) for m in modules], cell_files)


PACKAGE = {"p/__init__.py", "p/m.py", "p/n.py"}


@pytest.mark.parametrize(
    ("files", "module", "carried", "left"),
    [
        ({"helpers.py": "import numpy\n"}, "helpers.f", ["helpers.py"], ["numpy"]),
        ({"a.py": "import b", "b.py": "import a, yaml"}, "a", ["a.py", "b.py"], ["yaml"]),
        ({"p/__init__.py": "from .m import f", "p/m.py": "import q"}, "p", ["p/__init__.py", "p/m.py"], ["q"]),
        ({"p/__init__.py": "", "p/m.py": "", "p/n.py": ""}, "p.m.f", ["p/__init__.py", "p/m.py"], []),
        ({"p/__init__.py": "", "p/m.py": "from .n import f", "p/n.py": ""}, "p.m", sorted(PACKAGE), []),
        ({"p/q/m.py": "import z"}, "p.q.m", ["p/q/m.py"], ["z"]),
        ({"p/data.csv": ""}, "p", [], ["p"]),
        ({"p/__init__.py": "", "p.py": "import z"}, "p", ["p/__init__.py"], []),
        ({"sys.py": ""}, "sys", [], ["sys"]),
        ({}, "pandas", [], ["pandas"]),
    ],
    ids=[
        "a module", "modules that import each other", "a package", "a module of a package",
        "a relative import in a package", "a folder without __init__", "a folder of data", "a package before a module",
        "a builtin module", "nothing local",
    ],
)  # fmt: skip
def test_local_modules(tmp_path: Path, files: dict[str, str], module: str, carried: list[str], left: list[str]) -> None:
    found = found_in(tmp_path, files, module)
    assert [path for path, _ in found.files] == carried
    assert [item.module for item in found.imports] == left
    assert all(item.line == 7 for item in found.imports)
    assert all(text == files[path] for path, text in found.files)
    assert not found.problems


def test_written_module_comes_before_the_folder(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"helpers.py": "import old"}, "helpers", helpers="import new")
    assert found.files == (("helpers.py", "import new"),)
    assert [item.module for item in found.imports] == ["new"]


def test_optional_import_of_a_local_module_stays_optional(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"a.py": "try:\n    import cupy\nexcept ImportError:\n    cupy = None"}, "a")
    assert found.imports == (Import("cupy", 7, optional=True),)


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({"a.py": "x = = 1"}, "KC323", "`a.py` beside the notebook does not compile: invalid syntax on line 1"),
        ({"a.py": "#" * 200_000}, "KC324", "`a.py` beside the notebook has 200 kB, too much for a step to carry"),
        ({"a.cpython-311-x86_64-linux-gnu.so": ""}, "KC324", "is compiled code, which a step cannot carry"),
        ({"a/__init__.py": "", "a/words.txt": "", "a/.hidden": ""}, "KC325", "are not carried along: `words.txt`"),
        ({"a.py": "import random", "random.py": ""}, "KC327", "`random.py` beside the notebook hides"),
    ],
    ids=["broken", "too large", "compiled", "with data", "a name of the standard library"],
)
def test_problem_with_a_local_module(tmp_path: Path, files: dict[str, str], code: str, message: str) -> None:
    [problem] = found_in(tmp_path, files, "a", "a").problems
    assert (problem.rule.code, problem.line, problem.module) == (code, 7, "a")
    assert message in problem.message


def test_local_module_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = '\xe9'")
    [problem] = found_in(tmp_path, {}, "a").problems
    assert (problem.rule.code, problem.message) == ("KC323", "`a.py` beside the notebook is not UTF-8 text")


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = folder_of(tmp_path, {"outside.py": "secret = 1", "nb/b.py": ""}) / "outside.py"
    (tmp_path / "nb" / "a.py").symlink_to(outside)
    (tmp_path / "nb" / "c.py").symlink_to("b.py")
    found = found_in(tmp_path / "nb", {}, "a", "c")
    assert [path for path, _ in found.files] == ["c.py"]
    assert [p.rule.code for p in found.problems] == ["KC324"]


def test_links_that_lead_nowhere_do_not_hide_the_modules_beside_them(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "lost.py").symlink_to("nowhere.py")
    found = found_in(tmp_path, {"helpers.py": "x = 1"}, "helpers", "lost")
    assert [path for path, _ in found.files] == ["helpers.py"]
    assert [item.module for item in found.imports] == ["lost"]


def test_a_step_takes_the_version_that_it_installs_itself_and_another_the_last(tmp_path: Path) -> None:
    cells = [f"# %% step:{name}\n%pip install pandas=={number}\npandas.x" for name, number in (("a", 1), ("b", 2))]
    text = "\n".join(["# %% imports\n%pip install pandas==3\nimport pandas", *cells, "# %% step:c\npandas.y"])
    steps = plan(write_notebook(tmp_path / "n.ipynb", text), {}).draft.steps
    found = {step.name: [package.requirement for package in step.packages] for step in steps}
    assert found == {"a": ["pandas==1"], "b": ["pandas==2"], "c": ["pandas==2"]}
