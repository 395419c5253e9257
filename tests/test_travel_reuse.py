"""Which steps run again, and which are taken over: by code, parameters, inputs, files, network; and why."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import travelling
from support import write_notebook

from kalecompiler import cli, commands, travel
from kalecompiler.commands import RunRequest
from kalecompiler.snapshots import find, reuse

TEXT = """
# %% imports
from pathlib import Path
# %% pipeline-parameters
rows = 3
scale = 2
# %% functions
def count(name):
    with open("counts.txt", "a") as file:
        file.write(name + "\\n")

def double(x):
    return x * 2
# %% step:read
count("read")
data = Path("data.txt").read_text().split()
# %% step:scale prev:read
count("scale")
scaled = [int(x) * scale for x in data]
# %% step:head prev:read
count("head")
head = data[:rows]
# %% step:join prev:scale prev:head
count("join")
joined = double(len(head)) + sum(scaled)
# %% step:tell prev:join
count("tell")
print(joined)
"""
ALL = ["read", "scale", "head", "join", "tell"]
Plan = dict[str, tuple[str, str]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("data.txt").write_text("1 2 3 4 5")


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Callable[..., Plan]:
    """What `kalec resume latest --plan` says: step -> (outcome, why)."""

    def ask(*words: str) -> Plan:
        capsys.readouterr()
        assert cli.main(["resume", "latest", "--plan", "--format", "json", *words]) == 0
        rows = json.loads(capsys.readouterr().out)
        return {row["step"]: (row["outcome"], row["why"]) for row in rows}

    return ask


def write(text: str = TEXT) -> None:
    write_notebook(Path("n.ipynb"), text)


def kalec(*words: str) -> None:
    assert cli.main([*words]) == 0


def ran() -> list[str]:
    path = Path("counts.txt")
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(found, key=ALL.index)


def again(found: Plan) -> list[str]:
    return [name for name in ALL if found[name][0] == "runs"]


@pytest.fixture
def once() -> None:
    """The notebook has run."""
    write()
    kalec("run", "n.ipynb")
    assert ran() == ALL


def touch(name: str, text: str) -> Callable[[], None]:
    return lambda: Path(name).write_text(text) and None  # type: ignore[func-returns-value]


CHANGES: list[tuple[str, Callable[[], None], list[str], list[str], str]] = [
    ("nothing", lambda: None, [], [], ""),
    ("a comment in a markdown cell", lambda: write("# %% [markdown]\nhi\n" + TEXT), [], [], ""),
    ("a cell's code", lambda: write(TEXT.replace("* scale for", "* scale + 1 for")), [], ["scale", "join", "tell"],
     "its code in `scale[1]` changed"),
    ("a function", lambda: write(TEXT.replace("x * 2", "x * 3")), [], ["join", "tell"],
     "its code in `functions.double` changed"),
    ("a parameter", lambda: None, ["-p", "rows=2"], ["head", "join", "tell"], "the parameter `rows` is 2, was 3"),
    ("a default", lambda: write(TEXT.replace("rows = 3", "rows = 4")), [], ["head", "join", "tell"],
     "the parameter `rows` is 4, was 3"),
    ("a parameter to what it was", lambda: None, ["-p", "rows=3"], [], ""),
    ("a file that is read", touch("data.txt", "1 2 3 4 6"), [], ALL, "it read data.txt, which has changed"),
    ("a file that is gone", lambda: Path("data.txt").unlink(), [], ALL,
     "it read data.txt, which is not there any more"),
    ("nothing, with --from", lambda: None, ["--from", "join"], ["join", "tell"], "it is to run again"),
    ("a tag that no code sees", lambda: write(TEXT.replace("step:scale", "step:scale limit:cpu:1")), [], [], ""),
    ("a variable of the environment", lambda: write(TEXT.replace("step:head", "step:head env:A:1")), [],
     ["head", "join", "tell"], "its setting `environment` is new"),
    ("what a later step needs", lambda: write(TEXT.replace("print(joined)", "print(joined, rows, scale)")), [],
     ["tell"], "its code in `tell[1]` changed"),
    ("a setting against it", lambda: write(TEXT.replace("step:head", "step:head cache:disabled")), [],
     ["head", "join", "tell"], "its setting is `cache:disabled`"),
]  # fmt: skip


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize(
    ("change", "words", "expected", "why"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
def test_what_runs_again_after(
    change: Callable[[], None], words: list[str], expected: list[str], why: str, plan: Callable[..., Plan]
) -> None:
    change()
    found = plan(*words)
    assert again(found) == expected
    if expected:
        assert found[expected[0]][1] == why
    assert ran() == []


@pytest.mark.usefixtures("once")
def test_only_these_run() -> None:
    write(TEXT.replace("* scale for", "* scale + 1 for"))
    kalec("resume", "latest")
    assert ran() == ["scale", "join", "tell"]
    kalec("resume", "latest")
    assert ran() == []
    kalec("run", "n.ipynb")
    assert ran() == ALL


@pytest.mark.usefixtures("once")
def test_run_with_cache_asks_all_runs_of_the_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    kalec("run", "n.ipynb", "-p", "scale=5")
    assert ran() == ALL
    capsys.readouterr()
    kalec("run", "n.ipynb", "--cache")
    assert ran() == []

    kalec("run", "n.ipynb", "--cache", "-p", "scale=5", "-p", "rows=1")
    assert ran() == ["head", "join", "tell"]
    runs = find.find("latest", Path.cwd()).record
    assert [(step.name, step.status) for step in runs.steps][:2] == [("read", "reused"), ("scale", "reused")]


def test_a_resumed_run_keeps_parameters_that_were_given(plan: Callable[..., Plan]) -> None:
    write()
    kalec("run", "n.ipynb", "-p", "rows=2")
    write(TEXT.replace("rows = 3", "rows = 9"))
    assert again(plan()) == []


@pytest.mark.usefixtures("once")
def test_a_step_whose_snapshot_nobody_vouches_for_runs_again(plan: Callable[..., Plan]) -> None:
    path = next(Path(".kalec/store/runs").glob("*/scale/after.json"))
    path.write_text(path.read_text().replace('"step": "scale"', '"step": "scalf"'))
    assert again(plan()) == ["scale", "join", "tell"]
    assert "--trust takes it all the same" in plan()["scale"][1]
    assert again(plan("--trust")) == []


def _remove_values(folder: str) -> None:
    for path in Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if b"scaled" in data and data.startswith(b"KALEC"):
                path.unlink()


@pytest.mark.usefixtures("once")
def test_a_step_runs_again_if_its_objects_are_gone(plan: Callable[..., Plan]) -> None:
    write(TEXT.replace("double(len", "double(1 + len"))
    as_before = again(plan())
    _remove_values(".kalec/store/objects")
    assert again(plan()) == as_before == ["join", "tell"], "the run's folder has it, and it is put back"
    _remove_values(".kalec/runs")
    _remove_values(".kalec/store/objects")
    assert again(plan()) == ["scale", "join", "tell"]
    assert plan()["scale"][1] == "its snapshot of `scaled`, which `join` needs, is damaged"


NETWORK = """
# %% step:read
import socket
connection = socket.create_connection(("127.0.0.1", PORT))
got = connection.recv(10)
connection.close()
del connection
# %% step:tell prev:read
print(got)
"""


def test_what_used_the_network_is_not_reused_unless_that_is_wanted(plan: Callable[..., Plan]) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    text = NETWORK.replace("PORT", str(server.getsockname()[1]))

    def serve() -> None:
        connection, _ = server.accept()
        connection.sendall(b"hello")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    write(text)
    kalec("run", "n.ipynb")
    server.close()
    assert plan()["read"] == ("runs", "it used the network: `cache:enabled` takes it all the same")
    write(text.replace("step:read", "step:read cache:enabled"))
    assert [outcome for outcome, _ in plan().values()] == ["reused", "reused"]


def test_a_new_file_in_a_folder_of_modules_changes_nothing(plan: Callable[..., Plan]) -> None:
    Path("lib").mkdir()
    write("# %% step:a\nimport sys\nsys.path.append('lib')\nx = 1\n# %% step:b\ny = 1")
    kalec("run", "n.ipynb")
    Path("lib/more.py").write_text("")
    assert plan()["a"][0] == "reused"


OWN = "open('mine.txt', 'w').write('1'); "
COUNTER = "from pathlib import Path\np = Path('n.txt')\np.write_text(str(int(p.read_text()) + 1))"
LOG = "with open('n.txt', 'a') as f:\n    f.write('x')\nx = open('n.txt').read()"
OTHERS = [
    ("another program", "!true", "it ran other programs (", "runs"),
    ("a file of its own", OWN + "x = open('mine.txt').read()", "", "reused"),
    ("a file of its own that it removes", OWN + "import os; os.unlink('mine.txt')", "", "reused"),
    ("a folder's list", "import os; names = os.listdir('sub')", "", "reused"),
    ("a counter that it counts up", COUNTER, "it read n.txt and changed it then", "runs"),
    ("a log that it reads", LOG, "it read n.txt and changed it then", "runs"),
]


@pytest.mark.parametrize(("code", "why", "outcome"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_what_a_step_opened(code: str, why: str, outcome: str, plan: Callable[..., Plan]) -> None:
    Path("sub").mkdir()
    Path("sub/one.txt").write_text("1")
    Path("n.txt").write_text("1")
    write(f"# %% step:a\n{code}\n# %% step:b\nx = 1")
    kalec("run", "n.ipynb")
    found = plan()["a"]
    assert found[0] == outcome
    assert why in found[1]


@pytest.mark.parametrize(
    ("code", "change", "why"),
    [
        ("import os; names = os.listdir('sub')", lambda: Path("sub/two.txt").write_text("2"), "it listed sub"),
        ("import glob; names = glob.glob('sub/*')", lambda: Path("sub/two.txt").write_text("2"), "it listed sub"),
        ("open('out.txt', 'w').write('1')", lambda: Path("out.txt").unlink(), "it wrote out.txt, which is not there"),
        (
            "import json; x = json.load(open('sub/one.txt'))",
            lambda: Path("sub/one.txt").write_text("2"),
            "it read sub/one",
        ),
    ],
)
def test_what_it_opened_changes(
    code: str, change: Callable[[], object], why: str, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path("elsewhere").absolute()))  # files there come and go
    Path("sub").mkdir()
    Path("sub/one.txt").write_text("1")
    write(f"# %% step:a\n{code}\n# %% step:b\nx = 1")
    kalec("run", "n.ipynb")
    assert plan()["a"][0] == "reused"
    change()
    assert plan()["a"][0] == "runs"
    assert why in plan()["a"][1]


def test_a_file_handed_from_step_to_step(plan: Callable[..., Plan]) -> None:
    write("# %% step:a\nopen('f.txt', 'w').write('1')\n# %% step:b prev:a\nx = open('f.txt').read()\nprint(x)")
    kalec("run", "n.ipynb")
    assert [outcome for outcome, _ in plan().values()] == ["reused", "reused"]
    Path("f.txt").write_text("2")
    assert plan()["a"] == ("runs", "it wrote f.txt, which has changed")
    Path("f.txt").unlink()
    assert plan()["a"] == ("runs", "it wrote f.txt, which is not there any more")


def test_a_step_without_a_snapshot_runs_again(plan: Callable[..., Plan]) -> None:
    write(TEXT.replace("step:head", "step:head snapshot:off"))
    kalec("run", "n.ipynb", "--cache")
    assert ran() == ALL
    found = plan()
    assert again(found) == ["head", "join", "tell"]
    assert found["head"][1].startswith("it left no snapshot in n-")


def test_a_killed_run_is_gone_on_with(plan: Callable[..., Plan]) -> None:
    """A step that was killed wrote no report of what it opened, and runs again; those before it do not."""
    write(TEXT.replace('count("join")', 'count("join"); import os; os._exit(9)'))
    assert cli.main(["run", "n.ipynb"]) == 1
    assert ran() == ["read", "scale", "head", "join"]
    write()
    assert again(plan()) == ["join", "tell"]
    kalec("resume", "latest")
    assert ran() == ["join", "tell"]


CHAIN = """
# %% imports
import glob, json, os
# %% pipeline-parameters
order = {"a": 1, "b": 2}
# %% step:a volume:data:/data config-map:svc:url:URL
n = open("x.txt").read() + open(os.path.abspath("y.txt")).read() + os.environ["URL"]
n += open(os.environ["KALE_VOLUME_DATA"] + "/v.txt").read()
os.makedirs("out", exist_ok=True)
for i in range(2):
    with open(f"out/{i}.csv", "w") as file:
        file.write(n)
# %% step:b prev:a
files = len(glob.glob("out/*.csv"))
# %% step:c prev:b
keys = list(order)
with open("out/all.csv", "w") as file:
    file.write(str(files))
"""
GIVEN = ["--volume", "data=../one", "--config-map", "svc=svc.env"]


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project `one`, in which CHAIN has run; its folder."""
    one = tmp_path / "one"
    one.mkdir()
    monkeypatch.chdir(one)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))  # files there come and go
    for name in ("x.txt", "y.txt", "v.txt"):
        Path(name).write_text("1")
    Path("svc.env").write_text("url=here")
    write(CHAIN)
    kalec("run", "n.ipynb", *GIVEN)
    return one


def runs(found: Plan) -> list[str]:
    return [name for name, (outcome, _) in found.items() if outcome == "runs"]


def test_a_project_that_is_moved_or_copied(
    chain: Path, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step read below the working folder is compared at its place in the present one."""
    two = chain.with_name("two")
    given = [word.replace("one", "two") for word in GIVEN]
    shutil.copytree(chain, two)
    monkeypatch.chdir(two)
    assert runs(plan(*given)) == []
    Path("x.txt").write_text("2")
    assert plan(*given)["a"] == ("runs", "it read x.txt, which has changed")
    Path("x.txt").write_text("1")
    (chain / "x.txt").write_text("3")
    shutil.rmtree(chain / "out")
    assert runs(plan(*given)) == [], "its name was relative"
    (chain / "y.txt").write_text("3")
    assert plan(*given)["a"] == ("runs", f"it read {chain}/y.txt, which has changed")
    shutil.rmtree(chain)
    assert runs(plan(*given)) == []
    kalec("resume", "latest", *given)
    (two / "x.txt").write_text("2")
    assert plan(*given)["a"] == ("runs", "it read x.txt, which has changed"), "what was taken over has its files here"


def test_projects_that_share_a_store(chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = chain.with_name("two")
    shutil.copytree(chain, two)
    shutil.rmtree(two / ".kalec")
    monkeypatch.chdir(two)
    request = RunRequest(folder=chain / ".kalec/runs", volumes=("data=.",), config_maps=("svc=svc.env",))
    assert [d.why for d in cached(request) if not d.reused] == []
    Path("x.txt").write_text("2")
    assert cached(request)[0].why == "it read x.txt, which has changed"


def cached(request: RunRequest) -> list[reuse.Decision]:
    path = Path("n.ipynb")
    return list(travel.cached(path, commands.compile_(path, {}), request)[1].values())


@pytest.mark.usefixtures("chain")
def test_what_the_run_is_told_belongs_to_a_step(plan: Callable[..., Plan]) -> None:
    assert runs(plan(*GIVEN)) == []
    shutil.copytree(".", "copy", ignore=shutil.ignore_patterns(".kalec"))
    assert plan("--volume", "data=copy", *GIVEN[2:])["a"] == (
        "runs",
        "what the run is given as `--volume data` changed",
    )
    request = RunRequest(isolate=True, volumes=("data=.",), config_maps=("svc=svc.env",))
    assert {d.why for d in cached(request)[:1]} == {"what the run is given as `--isolate` is new"}
    write(CHAIN.replace('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'))
    assert plan(*GIVEN)["c"] == ("runs", "the parameter `order` is {'b': 2, 'a': 1}, was {'a': 1, 'b': 2}")
    Path("svc.env").write_text("url=there")
    assert plan(*GIVEN)["a"] == ("runs", "what the run is given as `--config-map svc:url` changed")
    record = next(Path(".kalec/store/runs").glob("*/a/after.json")).read_text()
    assert '"--config-map svc:url"' in record
    assert "here" not in record.replace("there", "")


INPLACE = """
# %% imports
import json
# %% step:a
with open("s.json", "w") as file:
    json.dump({"n": 1}, file)
with open("own.txt", "w") as file:
    file.write("1")
# %% step:b prev:a
n = json.load(open("s.json"))["n"]
# %% step:c prev:b
with open("s.json", "w") as file:
    json.dump({"n": 2}, file)
# %% step:d prev:c
x = 1
"""


def test_a_file_that_steps_hand_on_and_change(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    """What reused steps wrote is as the last of them left it, or that one runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(Path("elsewhere").absolute()))
    write(INPLACE)
    kalec("run", "n.ipynb")
    assert runs(plan()) == []
    write(INPLACE.replace("x = 1", "x = 2"))
    assert runs(plan()) == ["d"]
    write(INPLACE.replace('["n"]', '["n"] * 2'))
    assert plan()["a"] == ("runs", "it wrote s.json, which has changed")
    write(INPLACE)
    Path("own.txt").write_text("2")
    assert plan()["a"] == ("runs", "it wrote own.txt, which has changed"), "though no step had read it"


def test_a_failed_step_that_had_changed_a_file_of_a_step_above(plan: Callable[..., Plan]) -> None:
    text = "# %% step:z\ny = 1\n# %% step:a prev:z\nopen('f.txt', 'w').write('1')\n# %% step:b prev:a\n"
    text += "with open('f.txt', 'r+') as f:\n    x = f.read()\n    f.write('2')\nassert x == '0'"
    write(text)
    assert cli.main(["run", "n.ipynb"]) == 1
    write(text.replace("assert x == '0'", ""))
    assert runs(plan()) == ["a", "b"]
    kalec("resume", "latest")
    assert Path("f.txt").read_text() == "12"
    assert runs(plan()) == [], "b read what a had written"


def test_steps_that_share_a_file_side_by_side(plan: Callable[..., Plan]) -> None:
    text = "# %% step:a\nx = 1\n# %% step:b prev:a\nopen('f.txt', 'w').write('1')\n# %% step:c prev:a\n"
    text += "open('f.txt', 'w').write('1')"
    write(text)
    kalec("run", "n.ipynb", "--jobs", "1")
    assert runs(plan()) == []
    write(text + "\ny = 2")
    assert plan()["b"] == ("runs", "c, which runs, changes f.txt too")


def test_a_tag_that_keeps_two_names_together(plan: Callable[..., Plan]) -> None:
    text = "# %% step:a\nx = [1]\ny = {'x': x}\n# %% step:b prev:a\nx.append(2)\n# %% step:c prev:b\nz = len(y['x'])"
    write(text)
    kalec("run", "n.ipynb")
    assert runs(plan()) == []
    write(text.replace("step:a\n", "step:a together:x,y\n"))
    assert plan()["a"] == ("runs", "its setting `together` is new")


@pytest.mark.usefixtures("once")
def test_a_damaged_snapshot_that_nobody_needs(plan: Callable[..., Plan]) -> None:
    _remove_values(".kalec/runs")
    _remove_values(".kalec/store/objects")
    assert plan()["scale"] == ("runs", "its snapshot of `scaled` is damaged")


def test_steps_that_share_a_new_volume(plan: Callable[..., Plan]) -> None:
    """It is empty in a new run: all steps that have it are taken over, or none."""
    place = "open(os.environ['KALE_VOLUME_S'] + '/f', '{}')"
    tag = "new-volume:s:/s:size=1Gi,class=x"
    text = f"# %% imports\nimport os\n# %% step:a {tag}\n{place.format('w')}.write('1')\nx = 1\n"
    text += f"# %% step:b prev:a {tag}\ny = {place.format('r')}.read()\n# %% step:c prev:b\nz = 1"
    write(text)
    kalec("run", "n.ipynb")
    assert runs(plan()) == []
    write(text.replace("z = 1", "z = 2"))
    assert runs(plan()) == ["c"]
    write(text.replace(".read()", ".read() * 2"))
    assert plan()["a"] == ("runs", "b, which runs, has the same new volume `s`")
