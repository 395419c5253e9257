"""The runtime's shell part: commands, expansions as IPython does them, and the magics left to the step."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalecompiler.runtime import shell

Names = dict[str, Any]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Names]:
    """A namespace whose code has `get_ipython`, in an empty folder."""
    import builtins

    monkeypatch.chdir(tmp_path)
    namespace: Names = {"__name__": "__main__"}
    shell.install(namespace)
    yield namespace
    del builtins.get_ipython  # type: ignore[attr-defined]


def run(code: str, names: Names) -> Names:
    exec(compile(code, "cell", "exec", dont_inherit=True), names)
    return names


def test_output_comes_to_stdout_in_order(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    run("print('a'); get_ipython().system('echo b; echo c >&2'); print('d')", names)
    assert capsys.readouterr().out == "a\nb\nc\nd\n"


def test_output_comes_as_it_is_printed(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(shell, "_log", shown.append)
    run("get_ipython().system('printf a; sleep 0.3; printf b')", names)
    assert [text for text in shown if text] == ["a", "b"]


def test_failing_command_says_command_and_status(names: Names) -> None:
    with pytest.raises(shell.CommandFailed, match=r"'exit 3' failed with exit status 3: write `command \|\| true`"):
        run("get_ipython().system('exit 3')", names)
    run("get_ipython().system('false || true')", names)


def test_failing_getoutput_shows_what_was_printed(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run("x = get_ipython().getoutput('echo reason; false')", names)
    assert capsys.readouterr().out == "reason\n"


def test_commands_have_no_keyboard(names: Names) -> None:
    assert run("x = get_ipython().getoutput('cat')", names)["x"] == []


def test_background_command_is_refused(names: Names) -> None:
    with pytest.raises(OSError, match="cannot run in the background"):
        run("get_ipython().system('sleep 9 &')", names)


def test_bytes_that_are_no_text_are_replaced(names: Names) -> None:
    lines = run(r"""x = get_ipython().getoutput("printf '\\377'")""", names)["x"]
    assert lines == ["\ufffd"]


def test_lines_are_a_list_with_views(names: Names) -> None:
    lines = run(r"x = get_ipython().getoutput('printf \"a\\nb\\n\"')", names)["x"]
    assert (lines, lines.n, lines.s, lines.l) == (["a", "b"], "a\nb", "a b", ["a", "b"])
    assert isinstance(lines, list)


def test_lines_load_without_the_shell_part(names: Names) -> None:
    raw = pickle.dumps(run("x = get_ipython().getoutput('echo a')", names)["x"], protocol=5)
    assert type(pickle.loads(raw)) is list
    assert b"shell" not in raw


def test_local_names_of_a_function_are_expanded(names: Names) -> None:
    code = "n = 1\ndef f(n):\n    return get_ipython().getoutput('echo {n}')\n"
    code += "x = f(2)\ny = get_ipython().getoutput('echo $n')"
    assert (run(code, names)["x"], names["y"]) == (["2"], ["1"])


@pytest.mark.parametrize(
    ("line", "magic", "printed"),
    [
        ("KALEC_T=1", "env", "env: KALEC_T=1\n"),
        ("KALEC_T 1 2", "set_env", "env: KALEC_T=1 2\n"),
        ("KALEC_T={1 + 1}", "env", "env: KALEC_T=2\n"),
    ],
)
def test_env(
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    magic: str,
    printed: str,
) -> None:
    monkeypatch.setenv("KALEC_T", "before")
    run(f"get_ipython().run_line_magic({magic!r}, {line!r})", names)
    assert capsys.readouterr().out == printed
    assert printed == f"env: KALEC_T={os.environ['KALEC_T']}\n"
    assert run("x = get_ipython().run_line_magic('env', 'KALEC_T')", names)["x"] == os.environ["KALEC_T"]


def test_env_hides_secrets_in_its_list(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    assert run("x = get_ipython().run_line_magic('env', '')", names)["x"]["MY_TOKEN"] == "<hidden>"


def test_cd_and_back(names: Names, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in side").mkdir()
    run("get_ipython().run_line_magic('cd', '-q in side')", names)
    assert Path.cwd() == tmp_path / "in side"
    run("get_ipython().run_line_magic('cd', '-')", names)
    assert capsys.readouterr().out == f"{tmp_path}\n"
    with pytest.raises(FileNotFoundError):
        run("get_ipython().run_line_magic('cd', 'nowhere')", names)


def test_writefile(names: Names, tmp_path: Path) -> None:
    run("name = 'a'\nget_ipython().run_cell_magic('writefile', '{name}.txt', 'é {name}\\n')", names)
    run("get_ipython().run_cell_magic('file', '-a a.txt', 'more\\n')", names)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "é {name}\nmore\n"
    run("name = 'two words'\nget_ipython().run_cell_magic('writefile', '\"{name}\"', 'x')", names)
    assert (tmp_path / "two words").read_text() == "x"
    for wrong in ("two words", ""):
        names["name"] = wrong
        with pytest.raises(ValueError, match="takes one path"):
            run("get_ipython().run_cell_magic('writefile', '{name}', 'x')", names)
    assert not (tmp_path / "two").exists()


def test_scripts(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    run("get_ipython().run_cell_magic('bash', '-s one', 'echo $1\\n')", names)
    run("get_ipython().run_cell_magic('python3', '', 'print(1 + 1)\\n')", names)
    run("get_ipython().run_cell_magic('script', 'false --no-raise-error', 'x')", names)
    assert capsys.readouterr().out == "one\n2\n"
    assert run("x = get_ipython().script_output('sh', 'echo a')", names)["x"] == "a\n"
    with pytest.raises(shell.CommandFailed, match="status 4"):
        run("get_ipython().run_cell_magic('sh', '', 'exit 4')", names)


def test_a_command_ends_with_the_cell_that_is_stopped(names: Names, tmp_path: Path) -> None:
    class Stop(BaseException):
        """As the runtime raises it on SIGTERM."""

    def stop(text: str) -> None:
        raise Stop

    began = time.monotonic()
    with pytest.raises(Stop):
        shell._run(["sh", "-c", "echo up; sleep 20"], stop)
    assert time.monotonic() - began < 10


def test_a_long_script_does_not_block(names: Names) -> None:
    text = "echo a\n" * 40_000
    assert run(f"x = get_ipython().script_output('sh', {text!r})", names)["x"] == "a\n" * 40_000


def test_capture(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys\nwith get_ipython().capture('--no-stderr') as out:\n"
    run(code + "    print('a'); get_ipython().system('echo b'); print('c', file=sys.stderr)", names)
    assert (names["out"].stdout, names["out"].stderr) == ("a\nb\n", "")
    assert capsys.readouterr() == ("", "c\n")
    assert pickle.loads(pickle.dumps(names["out"])).stdout == "a\nb\n"


def test_capture_shows_what_a_failing_block_printed(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        run("with get_ipython().capture() as out:\n    print('a')\n    1 / 0", names)
    assert capsys.readouterr().out == "a\n"


def test_what_is_missing_says_so(names: Names) -> None:
    with pytest.raises(AttributeError, match=r"a step runs without IPython: there is no 'get_ipython\(\).kernel'"):
        run("get_ipython().kernel", names)
    with pytest.raises(NotImplementedError, match="cannot run the magic '%prun'"):
        run("get_ipython().run_line_magic('prun', 'f()')", names)


NAMESPACE: Names = {"d": "/data", "n": 3, "xs": ["a b", "c"], "f": float("nan"), "o": os}


def ipython_expands(text: str) -> str:
    """IPython's own expansion, its fallback included."""
    from IPython.utils.text import DollarFormatter

    try:
        return DollarFormatter().vformat(text, args=[], kwargs=dict(NAMESPACE))
    except Exception:  # what an expression raises is its own
        return text


@pytest.mark.parametrize(
    "text",
    [
        "ls {d} $d/x ${d}", "echo $$HOME $$d", "$n.txt", "echo '$d' \"$d\" '{d}'", "{xs[0]!r} {xs[:1]} {n:>5}",
        "awk '{print $1}' {d}", "$missing {d}", "{{d}} {{}}", "{", "}", "$", "$ d", "{}", "{n+1} {n!s}", "$o.sep",
        "$xs",
        "it's $d and it's {d}", "'$d' $d", "{ n }", "{1/0}",
    ],
)  # fmt: skip
def test_expansion_is_that_of_ipython(text: str) -> None:
    assert shell.expand(text, NAMESPACE) == ipython_expands(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*NAMESPACE, "$", "{", "}", "'", '"', " ", ".", "!r", ":", "[0]", "x", "1", "\t"])).map(
        "".join
    )
)
def test_any_expansion_is_that_of_ipython(text: str) -> None:
    assert shell.expand(text, NAMESPACE) == ipython_expands(text)


def test_lines_before_a_name_are_kept() -> None:
    """IPython loses them."""
    assert shell.expand("a\nb $d", NAMESPACE) == "a\nb /data"


OLDEST = Path("/root/.pyenv/versions/3.9.18/bin/python")


@pytest.mark.parametrize("python", [sys.executable, str(OLDEST)])
def test_runs_on_a_bare_interpreter(python: str) -> None:
    if not Path(python).exists():
        pytest.skip("Python 3.9 is not here")
    code = f"exec(open({shell.__file__!r}).read()); install(dict(n=4)); print(get_ipython().getoutput('echo $n').n)"
    done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "4\n"
