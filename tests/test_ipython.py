"""IPython syntax in cells: each row of docs/ipython.md, lines and names kept, and what is refused."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalecompiler.ipython import automagic, translate

PAGE = Path(__file__).parent.parent / "docs" / "ipython.md"


def rows() -> list[tuple[str, str, str, str]]:
    """(heading, in the notebook, in the step, third column) of each row of the page's tables."""
    found, heading = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            before, after = (cell.rstrip(" |").strip("`").replace("⏎", "\n") for cell in cells[:2])
            found.append((heading, before, after, cells[2].rstrip(" |") if len(cells) > 2 else ""))
    return found


def plain(source: str) -> str:
    """Python without the comment that keeps a dropped line readable."""
    return "\n".join(line.split("  # ")[0] for line in source.split("\n"))


def codes(source: str) -> list[str]:
    return [problem.rule.code for problem in translate(source).problems]


@pytest.mark.parametrize(("heading", "before", "after", "third"), rows(), ids=[row[1] for row in rows()])
def test_documented_row(heading: str, before: str, after: str, third: str) -> None:
    done = translate(before)
    assert plain(done.source) == after
    ast.parse(done.source)
    if heading == "Requirements":
        assert [r for r, _ in done.requirements] == [r.strip("` ") for r in third.split(", ") if r.strip("` ")]
    assert codes(before) == ([third] if third.startswith("KC") else [])


def test_page_has_rows_of_every_kind() -> None:
    assert {row[0] for row in rows()} >= {"Translated", "Requirements", "Dropped without a word", "Refused"}
    assert len(rows()) > 60


LINES = [
    pytest.param("x = 1\n!ls\n", id="a shell line below Python"),
    pytest.param("\n\n  %time y = 1", id="leading blank lines and indentation"),
    pytest.param("!echo a \\\n  b \\\n  c\nx = 1", id="a continued shell line"),
    pytest.param("x = !echo a \\\n  b\ny = 2", id="a continued assignment"),
    pytest.param("for i in [1]:\n    %time f(i)\n    !ls {i}\nelse:\n    pass", id="magics in a block"),
    pytest.param("%%time\n%%bash\nls\npwd\n", id="a cell magic in a cell magic"),
    pytest.param("%%capture out\nif x:\n    '''a\nb'''\n\ny = 1", id="a captured block with a long string"),
    pytest.param("%%bash\necho '''\n\\\n\n", id="a script with quotes and backslashes"),
    pytest.param("%%cython\na\nb", id="a refused cell magic"),
    pytest.param(">>> x = 1\n>>> for i in x:\n...     !ls\n", id="a classic prompt"),
    pytest.param("In [1]: x = 1\n   ...: !ls\n", id="an IPython prompt"),
    pytest.param("a = '''\n%not magic\n!nor shell'''\n!ls", id="magic-like text in a string"),
    pytest.param("x = 1\r\n!ls\r\n", id="Windows line ends"),
    pytest.param("%time\n", id="a magic without arguments"),
    pytest.param("get_ipython().system(\n  'ls'\n)\nx = 1", id="a call over several lines"),
    pytest.param("get_ipython().run_line_magic(\n  'who', ''\n)\nx = 1", id="a dropped call over several lines"),
]


@pytest.mark.parametrize("source", LINES)
def test_lines_are_kept(source: str) -> None:
    done = translate(source)
    assert done.source.count("\n") == source.count("\n")
    ast.parse(done.source)


@pytest.mark.parametrize(
    ("source", "line", "statement"),
    [
        ("!echo a \\\n  b\nx = 1", 3, "x = 1"),
        ("\n\n%%time\n\ny = f(x)", 5, "y = f(x)"),
        ("%%capture out\n\nprint(1)\ny = 2", 4, "y = 2"),
        ("%matplotlib inline\nimport os", 2, "import os"),
    ],
    ids=["after a continued command", "below a cell magic", "in a captured block", "after a dropped magic"],
)
def test_statements_stay_on_their_line(source: str, line: int, statement: str) -> None:
    nodes = [node for node in ast.walk(ast.parse(translate(source).source)) if isinstance(node, ast.stmt)]
    assert statement in [ast.unparse(node) for node in nodes if node.lineno == line]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("!ls {d} $x", [(1, "d"), (1, "x")]),
        ("x = 1\nfiles = !ls {folder['a']}/*.csv", [(2, "folder")]),
        ("!echo $$HOME", []),
        ("!awk '{print $1}' f", [(1, "1")]),
        ("%%bash -s $n\necho $inner", [(1, "n")]),
        ("%env A={value}", [(1, "value")]),
        ("%%writefile {name}.txt\n{body}", [(1, "name")]),
        ("%time !ls {d}", [(1, "d")]),
        ("%%time\n!ls {d}", [(2, "d")]),
        ("%pip install pandas", []),
    ],
    ids=[
        "braces and dollar", "an expression", "an escaped dollar", "a program of awk", "arguments of a script",
        "a variable of the environment", "a file's name", "in a timed line", "in a timed cell", "an install",
    ],
)  # fmt: skip
def test_names_that_a_command_may_read(source: str, names: list[tuple[int, str]]) -> None:
    expected = [pair for pair in names if pair[1].isidentifier()]
    assert list(translate(source).soft) == expected


@pytest.mark.parametrize(
    ("source", "requirements"),
    [
        ("!pip install a \\\n  'b[x]>=1' --quiet\nz=3", ["a", "b[x]>=1"]),
        ("!pip install pandas>=1.0", ["pandas>=1.0"]),
        ("!sudo pip3.11 install a", ["a"]),
        ("!python3 -m pip install a  # for plots", ["a"]),
        ('%pip install "a; python_version < \'3.9\'"', ["a; python_version < '3.9'"]),
        ("!uv pip install --system a", ["a"]),
        ("%uv pip install a", ["a"]),
        ("%pip install -rreq.txt -c constraints.txt", ["-r req.txt", "-c constraints.txt"]),
        ("%pip install --requirement=req.txt", ["-r req.txt"]),
        ("%pip install a --progress-bar off b", ["a", "b"]),
        ("!pip install a | tail -1", ["a"]),
        ("!pip install a;", ["a"]),
        ("%%capture\n!pip install a", ["a"]),
        ("get_ipython().system('pip install a')", ["a"]),
        ("get_ipython().run_line_magic('pip', 'install a')", ["a"]),
        ("!python -m pip -q --timeout 9 install a==1", ["a==1"]),
        ("!pip --no-cache-dir  install\ta", ["a"]),
    ],
)  # fmt: skip
def test_requirements(source: str, requirements: list[str]) -> None:
    done = translate(source)
    assert [r for r, _ in done.requirements] == requirements
    assert not done.problems
    assert "system" not in plain(done.source)


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        ("install -c conda-forge numpy=1.26 -y", "write `%pip install numpy==1.26.*`"),
        ("install --channel=nvidia -n env python=3.11 cuda::torch==2.1=py311", "write `%pip install torch==2.1`"),
        ("install a=1.* b==2 c=3=py_0 d", "write `%pip install a==1.* b==2 c==3 d`"),
        ('install -q "python>=3.9"', "name an image that has the packages"),
    ],
)
def test_what_to_write_in_place_of_conda(arguments: str, cure: str) -> None:
    (problem,) = translate(f"!conda {arguments}").problems
    assert problem.hint == f"{cure}, or remove the line"


def test_requirement_is_on_its_line() -> None:
    assert translate("x = 1\n\n%pip install a").requirements == (("a", 3),)


@pytest.mark.parametrize(
    ("source", "code", "line", "column", "text"),
    [
        ("x = 1\ny = = 2", "KC301", 2, 5, "invalid syntax"),
        ("%matplotlib inline\n\nfor x in y\n    pass", "KC301", 3, 11, "expected ':'"),
        ("return 3", "KC301", 1, 1, "'return' outside function"),
        ("x = 1\nprint 'x'", "KC301", 2, 1, "missing parentheses in call to 'print'"),
        ("%%time\nx = (", "KC301", 2, 5, "'(' was never closed"),
        ("x\x00", "KC301", 1, None, "null bytes"),
        ("x = 1\n  %bogus", "KC301", 2, None, "unexpected indent"),
        ("if 1:\n  %bogus", "KC302", 2, 3, "`%bogus` is not known"),
        ("é = input('?')", "KC305", 1, 5, "`input()` waits for a keyboard"),
        ("import getpass\np = getpass.getpass()", "KC305", 2, 5, "waits for a keyboard"),
        ("%%time 1 + 1\nx = 1", "KC303", 1, 1, "takes no code"),
        ("get_ipython().run_cell_magic('time', '', 'x = 1')", "KC303", 1, 1, "code in a string"),
        ("%timit f()", "KC302", 1, 1, "`%timit` is not known"),
    ],
)  # fmt: skip
def test_problem(source: str, code: str, line: int, column: int | None, text: str) -> None:
    problem = translate(source).problems[0]
    assert (problem.rule.code, problem.line) == (code, line)
    assert column is None or problem.column == column
    assert text in problem.message
    assert problem.message[0] == problem.message[0].lower()
    assert not problem.message.endswith(".")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("print 'x'", "Python 2"),
        ("try:\n    pass\nexcept A, e:\n    pass", "Python 2"),
        ("x = 1\npip install pandas", "`%pip install pandas`"),
        ("%timit f()", "did you mean `%timeit`?"),
        ("x = input()", "pipeline parameter"),
    ],
)
def test_hint(source: str, hint: str) -> None:
    assert hint in (translate(source).problems[0].hint or "")


@pytest.mark.parametrize(
    "source",
    [
        "def ask():\n    return input()",
        "if missing:\n    x = input()",
        "input = open\ninput('f')",
        "await f()\nasync with g() as h:\n    pass",
        "x = 'input()'",
        "print(f'{x!r:>{n}}')",
    ],
    ids=["in a function", "in a branch", "another input", "top-level await", "in a string", "an f-string"],
)
def test_plain_python_is_left_alone(source: str) -> None:
    done = translate(source)
    assert done.source == source
    assert not done.problems


def test_written_files_are_known() -> None:
    assert translate("%%writefile helpers.py\nx = 1").writes == (("helpers.py", "x = 1\n"),)
    assert translate("%%writefile -a helpers.py\nx = 1").writes == ()
    assert translate("%%writefile {name}.py\nx = 1").writes == ()


def test_text_of_a_script_survives() -> None:
    body = "echo \"a'''b\\n\"\t'\\\\' \x07 é\n"
    tree = ast.parse(translate("%%bash\n" + body).source)
    call = tree.body[0].value  # type: ignore[attr-defined]
    assert call.args[2].value == body


def test_automagic_hint() -> None:
    assert automagic("ls") == "write `%ls` if you mean IPython's magic"
    assert automagic("df") is None


def test_plain_python_does_not_import_ipython() -> None:
    program = (
        "import sys; from kalecompiler.ipython import translate;"
        "translate('x = 1'); assert 'IPython' not in sys.modules;"
        "translate('!ls'); assert 'IPython' in sys.modules; assert 'kfp' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PAGE.parent.parent)


_PIECES = st.sampled_from(
    [
        "!ls",
        "%time ",
        "%%bash",
        "x = ",
        "!",
        "%",
        "?",
        "\\",
        "\n",
        "\n    ",
        "(",
        ")",
        "'''",
        '"',
        "if x:",
        "# c",
        "f(x)",
    ]
    + [
        "%%capture out",
        "get_ipython()",
        ".system('ls')",
        "{",
        "}",
        "$x",
        "pip install ",
        ">>> ",
        "In [1]: ",
        ";",
        "\r",
        "\x0c",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES | st.text(max_size=6), max_size=12).map("".join))
def test_never_raises_and_keeps_the_lines(source: str) -> None:
    done = translate(source)
    assert done.source.replace("\r\n", "\n").replace("\r", "\n").count("\n") == (
        source.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    )
    if not any(problem.rule.code == "KC301" for problem in done.problems):
        ast.parse(done.source)
