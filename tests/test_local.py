"""Running a package on this machine: order, results, failures, folders."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import package, task

from kalecompiler import local
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import RunResult, StepResult
from kalecompiler.local.tasks import read_package
from kalecompiler.model import Code, CodeKind, Location, Pipeline, Step


def run(spec: dict[str, Any], folder: Path, **options: Any) -> RunResult:
    """Run in `folder`, which is the steps' working directory too, with its runs beside."""
    options = {"arguments": {}, "workdir": folder, "jobs": 2, **options}
    return local.run(spec, folder=folder / "runs", **options)


def step(result: RunResult, name: str) -> StepResult:
    return next(found for found in result.steps if found.name == name)


def log(result: RunResult, name: str) -> str:
    path = step(result, name).log
    assert path is not None
    return path.read_text(encoding="utf-8")


def statuses(result: RunResult) -> dict[str, str]:
    return {found.name: found.status.value for found in result.steps}


def test_a_value_and_its_metadata_reach_the_next_step(tmp_path: Path) -> None:
    spec = package(
        load=task("write('df', '42'); metadata['df'] = {'digest': 'sha256:1'}", outputs=["df"]),
        train=task("print(read('df'), source('df')['metadata'], source('df')['type'])", inputs=["load.df"]),
    )
    result = run(spec, tmp_path)
    assert result.status is local.Status.SUCCEEDED
    expected = "42 {'digest': 'sha256:1'} {'schemaTitle': 'system.Artifact', 'schemaVersion': '0.0.1'}\n"
    assert log(result, "train") == expected
    assert step(result, "load").outputs["df"].read_text(encoding="utf-8") == "42"


def test_the_executor_input_is_kept_and_is_what_the_step_got(tmp_path: Path) -> None:
    result = run(package(load=task("print(sys.argv[2], end='')", outputs=["df"])), tmp_path)
    kept = (result.folder / "load" / "executor_input.json").read_text(encoding="utf-8")
    assert log(result, "load") == kept
    folder = str(result.folder / "load")
    kind = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
    assert json.loads(kept) == {
        "inputs": {"parameterValues": {}, "artifacts": {}},
        "outputs": {
            "parameters": {},
            "artifacts": {"df": {"artifacts": [{"name": "df", "type": kind, "uri": f"{folder}/df", "metadata": {}}]}},
            "outputFile": f"{folder}/executor_output.json",
        },
    }


PARAMETERS = {
    "n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0, "isOptional": True},
    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5, "isOptional": True},
    "opts": {"parameterType": "STRUCT", "defaultValue": {"a": [1.0, 2.5]}, "isOptional": True},
    "title": {"parameterType": "STRING", "isOptional": True},
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({}, {"n": 3, "rate": 0.5, "opts": {"a": [1, 2.5]}}, id="defaults, the optional one left out"),
        pytest.param({"n": 4, "title": "x"}, {"n": 4, "rate": 0.5, "opts": {"a": [1, 2.5]}, "title": "x"}, id="given"),
        pytest.param({"title": None}, {"n": 3, "rate": 0.5, "opts": {"a": [1, 2.5]}}, id="None is left out"),
        pytest.param({"rate": 2.0}, {"n": 3, "rate": 2, "opts": {"a": [1, 2.5]}}, id="KFP writes 2.0 as 2"),
    ],
)
def test_parameters_arrive_as_kfp_carries_them(tmp_path: Path, arguments: Any, expected: Any) -> None:
    wired = {name: {"componentInputParameter": name} for name in PARAMETERS}
    spec = package(PARAMETERS, show=task("print(json.dumps(parameters))", parameters=wired))
    result = run(spec, tmp_path, arguments=arguments)
    shown = log(result, "show")
    assert json.loads(shown) == expected
    assert "2.0" not in shown


def test_whole_numbers_are_recorded_as_integers_but_for_floats() -> None:
    declared = PARAMETERS | {"whole": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 2.0}}
    spec = package(declared, show=task("print(parameters)"))
    assert repr(read_package(spec).defaults) == "{'n': 3, 'rate': 0.5, 'opts': {'a': [1, 2.5]}, 'whole': 2.0}"


def test_a_constant_of_the_package_is_a_parameter_too(tmp_path: Path) -> None:
    constant = {"greeting": {"runtimeValue": {"constant": "héllo {{x}} 'q'\n"}}}
    result = run(package(show=task("print(ascii(parameters['greeting']))", parameters=constant)), tmp_path)
    assert log(result, "show") == ascii("héllo {{x}} 'q'\n") + "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 1, "titel": "x"}, "there is no parameter `titel`: did you mean `title`?"),
        ({"n": 1, "zzz": 1}, "there is no parameter `zzz`: there are `n`, `title`"),
        ({}, "the parameter n has no default, so it needs a value: -p n=..."),
    ],
    ids=["near miss", "far off", "missing"],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_runs(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    spec = package({"n": {"parameterType": "NUMBER_INTEGER"}, "title": PARAMETERS["title"]}, a=task())
    with pytest.raises(UsageError) as caught:
        run(spec, tmp_path, arguments=arguments)
    assert str(caught.value) == message
    assert not (tmp_path / "runs").exists()


def test_twenty_independent_steps_run_side_by_side(tmp_path: Path) -> None:
    """Each one waits until all twenty have started: one after the other they would never end."""
    meet = "pathlib.Path({0!r}).touch(); wait_for(*(f's{{i}}' for i in range(20)))"
    spec = package(**{f"s{i}": task(meet.format(f"s{i}")) for i in range(20)})
    assert run(spec, tmp_path, jobs=20).status is local.Status.SUCCEEDED


def test_no_more_steps_run_at_once_than_jobs(tmp_path: Path) -> None:
    code = """
pathlib.Path(f"running-{os.getpid()}").touch()
time.sleep(0.2)
print(len([name for name in os.listdir(".") if name.startswith("running-")]))
os.unlink(f"running-{os.getpid()}")
"""
    result = run(package(**{f"s{i}": task(code) for i in range(8)}), tmp_path, jobs=2)
    assert max(int(log(result, f"s{i}")) for i in range(8)) == 2


@pytest.mark.parametrize(
    ("order", "expected"),
    [((), ["a", "b", "c"]), (("c", "a", "b"), ["c", "a", "b"]), (("b",), ["b", "a", "c"])],
    ids=["by name where none is given", "as given", "the rest follows"],
)
def test_ready_steps_start_in_order(tmp_path: Path, order: tuple[str, ...], expected: list[str]) -> None:
    started: list[str] = []

    def note(event: local.Event) -> None:
        if isinstance(event, local.StepStarted):
            started.append(event.name)

    result = run(package(a=task(), b=task(), c=task()), tmp_path, jobs=1, order=order, on_event=note)
    assert started == expected
    assert [found.name for found in result.steps] == expected


def test_a_step_waits_for_all_above_it_also_without_data(tmp_path: Path) -> None:
    slow = task("time.sleep(0.1); pathlib.Path('done').touch()")
    result = run(
        package(first=task(), slow=slow, last=task("assert os.path.exists('done')", after=["slow", "first"])), tmp_path
    )
    assert result.status is local.Status.SUCCEEDED


def test_a_failing_step_skips_what_is_below_and_lets_the_rest_finish(tmp_path: Path) -> None:
    spec = package(
        bad=task("sys.exit(3)", outputs=["x"]),
        below=task(inputs=["bad.x"]),
        further=task(after=["below"]),
        beside=task("time.sleep(0.2)"),
        after_beside=task(after=["beside"]),
    )
    result = run(spec, tmp_path)
    assert result.status is local.Status.FAILED
    assert statuses(result) == {
        "bad": "failed",
        "below": "skipped",
        "further": "skipped",
        "beside": "succeeded",
        "after-beside": "succeeded",
    }
    assert step(result, "below").log is None


def test_until_runs_a_step_and_those_above_it(tmp_path: Path) -> None:
    spec = package(a=task(outputs=["x"]), b=task(inputs=["a.x"], name="Bee"), c=task(after=["b"]), d=task())
    result = run(spec, tmp_path, until="Bee")
    assert statuses(result) == {"a": "succeeded", "Bee": "succeeded", "c": "not-run", "d": "not-run"}
    assert result.status is local.Status.SUCCEEDED
    assert not (result.folder / "c").exists()


def test_until_an_unknown_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no step `trian`: did you mean `train`"):
        run(package(train=task()), tmp_path, until="trian")


def test_a_step_works_in_the_notebooks_folder(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 7", encoding="utf-8")
    result = run(package(a=task("import helper; print(helper.VALUE, os.getcwd())")), tmp_path)
    assert log(result, "a") == f"7 {tmp_path}\n"


def test_isolated_steps_each_have_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    code = "print(os.listdir('.')); pathlib.Path('hidden').touch()"
    result = run(package(a=task(code), b=task(code, after=["a"])), tmp_path, isolate=True)
    assert (log(result, "a"), log(result, "b")) == ("[]\n", "[]\n")
    assert not (tmp_path / "hidden").exists()


def test_an_isolated_step_may_call_an_output_anything(tmp_path: Path) -> None:
    result = run(package(a=task(outputs=["work", "log", "cwd"])), tmp_path, isolate=True)
    assert set(step(result, "a").outputs) == {"work", "log", "cwd"}


def test_the_log_has_every_line_of_both_streams_in_order(tmp_path: Path) -> None:
    code = """
for i in range(100_000):
    print(i, file=sys.stderr if i % 3 else sys.stdout)
os.write(2, b"\\xff raw")
"""
    result = run(package(a=task(code)), tmp_path)
    path = step(result, "a").log
    assert path is not None
    assert path.read_bytes() == b"".join(b"%d\n" % i for i in range(100_000)) + b"\xff raw"


def test_names_beyond_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "größe 数 {{x}}"
    folder.mkdir()
    carried = {"format": 1, "outputs": [{"variable": "größe", "port": "gr-e"}]}
    spec = package(a=task("print('é')", name="lädt", outputs=["gr-e"], step=carried))
    result = run(spec, folder)
    assert statuses(result) == {"lädt": "succeeded"}
    assert step(result, "lädt").outputs["größe"].read_text(encoding="utf-8") == "gr-e"


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such name")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    spec = package(a=task("write('x', '1')", outputs=["x"]), b=task("print(read('x'))", inputs=["a.x"]))
    result = run(spec, folder, about={})
    assert log(result, "b") == "1\n"
    for path in (result.folder / "run.json", result.folder / "b" / "executor_input.json"):
        assert json.dumps(str(folder))[1:-1] in path.read_text("utf-8")


def test_metrics_are_results_and_an_unbound_variable_is_no_output(tmp_path: Path) -> None:
    code = "metadata.update(metrics={'accuracy': 0.9}, x={'absent': True})"
    result = run(package(a=task(code, outputs=["x", "y"], metrics=["metrics"])), tmp_path)
    assert step(result, "a").metrics == {"accuracy": 0.9}
    assert set(step(result, "a").outputs) == {"y"}


def test_environment_of_the_component(tmp_path: Path) -> None:
    result = run(package(a=task("print(os.environ['MODE'])", env={"MODE": "a b"})), tmp_path)
    assert log(result, "a") == "a b\n"


@pytest.mark.parametrize(
    ("jobs", "tasks", "set_by_user", "expected"),
    [
        pytest.param(2, "ab", None, "2", id="two at once share four cores"),
        pytest.param(9, "abcdefghi", None, "1", id="never less than one"),
        pytest.param(9, "ab", None, "2", id="no more steps than there are"),
        pytest.param(1, "ab", None, "None", id="alone"),
        pytest.param(2, "ab", "7", "7", id="the user's own setting stays"),
    ],
)
def test_numeric_libraries_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, tasks: str, set_by_user: str | None, expected: str
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_by_user:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", set_by_user)
    spec = package(**{name: task("print(os.environ.get('OPENBLAS_NUM_THREADS'))") for name in tasks})
    assert log(run(spec, tmp_path, jobs=jobs), "a") == f"{expected}\n"


def _fails(message: str, code: str = "", **options: Any) -> Any:
    return pytest.param(task(code, **options), message, id=message[:50])


NO_OUTPUT = ["python3", "-c", "pass"]


def _writes(text: str) -> list[str]:
    program = f"import sys,json; open(json.loads(sys.argv[2])['outputs']['outputFile'], 'w').write({text!r})"
    return ["python3", "-c", program]


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        _fails("exited with status 3", "sys.exit(3)"),
        _fails("was killed by SIGKILL, perhaps because memory ran out", "os.kill(os.getpid(), signal.SIGKILL)"),
        _fails("was killed by SIGSEGV", "os.kill(os.getpid(), signal.SIGSEGV)"),
        _fails("cannot be started: No such file or directory: no-such-program", command=["no-such-program"]),
        _fails("cannot be started: Permission denied: /etc/passwd", command=["/etc/passwd"]),
        _fails(
            "cannot be started: an argument is longer than the system allows", command=["python3", "-c", "#" * 200_000]
        ),
        _fails("cannot be started: embedded null byte", command=["python3", "-c", "\0"]),
        _fails("the step ended without writing executor_output.json", command=NO_OUTPUT, outputs=["x"]),
        _fails("executor_output.json cannot be read: ", command=_writes("{"), outputs=["x"]),
        _fails("executor_output.json cannot be read: NaN is not JSON", command=_writes('{"artifacts": {"x": NaN}}')),
        _fails("executor_output.json is list where an object is expected", command=_writes("[]")),
        _fails("executor_output.json has the field 'foo', which", command=_writes('{"foo": 1}')),
        _fails("executor_output.json has the artifact 'z', which", command=_writes('{"artifacts": {"z": {}}}')),
        _fails(
            "executor_output.json: the metadata m of x is null, which KFP refuses",
            command=_writes('{"artifacts": {"x": {"artifacts": [{"name": "x", "metadata": {"m": null}}]}}}'),
            outputs=["x"],
        ),
        _fails(
            "executor_output.json: the artifact x is not a list of one artifact",
            command=_writes('{"artifacts": {"x": 3}}'),
            outputs=["x"],
        ),
        _fails("the output x was not written: there is no ", command=_writes("{}"), outputs=["x"]),
    ],
)
def test_what_goes_wrong_is_a_failed_step_with_a_message(tmp_path: Path, failing: Any, message: str) -> None:
    result = run(package(bad=failing, below=task(after=["bad"]), beside=task()), tmp_path)
    assert statuses(result) == {"bad": "failed", "below": "skipped", "beside": "succeeded"}
    failure = step(result, "bad").failure
    assert failure is not None
    assert failure.message.startswith(message)


def test_a_step_without_outputs_may_write_nothing(tmp_path: Path) -> None:
    assert run(package(a=task(command=NO_OUTPUT)), tmp_path).status is local.Status.SUCCEEDED


def test_a_step_that_runs_always_and_needs_what_a_failed_one_did_not_put_out(tmp_path: Path) -> None:
    score = {"score": {"taskOutputParameter": {"producerTask": "bad", "outputParameterKey": "score"}}}
    spec = package(
        bad=task("sys.exit(1)", outputs=["x"]),
        needs=task(inputs=["bad.x"]),
        has=task("print(parameters)", parameters=score),
    )
    spec["components"]["comp-bad"]["outputDefinitions"]["parameters"] = {"score": {"parameterType": "STRING"}}
    spec["components"]["comp-has"]["inputDefinitions"]["parameters"]["score"]["defaultValue"] = "none"
    for name in ("needs", "has"):
        spec["root"]["dag"]["tasks"][name]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    result = run(spec, tmp_path)
    assert statuses(result) == {"bad": "failed", "has": "succeeded", "needs": "failed"}
    assert log(result, "has") == "{'score': 'none'}\n"
    failure = step(result, "needs").failure
    assert failure is not None
    assert failure.message == "cannot be started: its input x comes from bad, which put out nothing"


def test_a_full_disk_is_a_failed_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.write_text

    def full(path: Path, *args: Any, **options: Any) -> int:
        if path.name == "executor_input.json" and path.parent.name == "a":
            raise OSError(28, "No space left on device", str(path))
        return original(path, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    result = run(package(a=task(), b=task()), tmp_path)
    assert statuses(result) == {"a": "failed", "b": "succeeded"}
    failure = step(result, "a").failure
    assert failure is not None
    assert failure.message.startswith("cannot be started: No space left on device")


def test_what_cannot_be_removed_before_another_try_is_a_failed_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(local.runner.shutil, "rmtree", refuse)
    spec = package(a=task("os.mkdir('sub'); sys.exit(3)"), b=task("time.sleep(0.1)"))
    spec["root"]["dag"]["tasks"]["a"]["retryPolicy"] = {"maxRetryCount": 2}
    result = run(spec, tmp_path, isolate=True)
    assert statuses(result) == {"a": "failed", "b": "succeeded"}
    failure = step(result, "a").failure
    assert failure is not None
    assert failure.message.startswith("exited with status 3; what it left cannot be removed to try again: Permission")
    assert step(result, "a").log is not None


PIECES = {"format": 1, "code": [{"name": "churn.ipynb train[1]"}, {"name": "churn.ipynb train[2]"}]}
RAISES = """
source = "def f(x):\\n    return 1 / x\\n\\nf(0)"
print('  File "churn.ipynb train[1]", line 99')
exec(compile(source, "churn.ipynb train[2]", "exec"))
"""


CAUGHT = (
    "import traceback\ntry:\n    exec(compile('1 / 0', 'churn.ipynb train[1]', 'exec'))\nexcept ZeroDivisionError:\n"
)
CAUGHT += "    traceback.print_exc()\n"
SAYS = "print('kalec: step train {}', file=sys.stderr); sys.exit({})"


@pytest.mark.parametrize(
    ("code", "carried", "expected"),
    [
        pytest.param(CAUGHT + "os.kill(os.getpid(), signal.SIGKILL)", PIECES, None, id="killed after another error"),
        pytest.param(
            CAUGHT + SAYS.format("was terminated in churn.ipynb train[2]", 143), PIECES, None, id="told to end"
        ),
        pytest.param(CAUGHT + SAYS.format("failed: no input", 1), PIECES, None, id="the runtime's own"),
        pytest.param(
            CAUGHT + SAYS.format("failed in churn.ipynb train[2], line 4: sys.exit(3) was called", 3),
            PIECES,
            local.Place("churn.ipynb train[2]", 4),
            id="sys.exit after another error",
        ),
        pytest.param(
            RAISES, PIECES, local.Place("churn.ipynb train[2]", 2), id="innermost frame of the last traceback"
        ),
        pytest.param(RAISES.replace("1 / x", "1 +"), PIECES, local.Place("churn.ipynb train[2]", 2), id="syntax error"),
        pytest.param(RAISES, {}, None, id="no pieces of ours"),
        pytest.param("sys.exit(1)", PIECES, None, id="no traceback"),
        pytest.param(
            RAISES.replace("1 / x", "json.loads('')"),
            PIECES,
            local.Place("churn.ipynb train[2]", 2),
            id="below a library",
        ),
    ],
)
def test_the_place_of_a_failure(tmp_path: Path, code: str, carried: Any, expected: local.Place | None) -> None:
    failure = step(run(package(a=task(code, step=carried)), tmp_path), "a").failure
    assert failure is not None
    assert failure.place == expected


def test_the_end_of_the_log_goes_with_a_failure(tmp_path: Path) -> None:
    code = "for i in range(30): print(i)\nprint('1%\\r50%\\r100%'); print('x' * 900); sys.exit(1)"
    failure = step(run(package(a=task(code)), tmp_path), "a").failure
    assert failure is not None
    assert failure.tail == (*map(str, range(12, 30)), "100%", "x" * 500 + " ...")


def _pipeline() -> Pipeline:
    cell = Code("n.ipynb a[1]", CodeKind.CELL, "x = 1\ny = 2", "c1", Location("d/n.ipynb", 4, "c1"))
    carried = Code("n.ipynb a.f", CodeKind.DEFINITION, "def f():\n    1/0", "c2", Location("d/n.ipynb", 2, "c2", 7))
    return Pipeline("p", "n.ipynb", (Step("a", "a", code=(cell, carried)),))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (local.Place("n.ipynb a[1]", 2), Location("d/n.ipynb", 4, "c1", 2)),
        (local.Place("n.ipynb a.f", 2), Location("d/n.ipynb", 2, "c2", 8)),
        (local.Place("elsewhere", 2), None),
    ],
    ids=["in a cell", "in a carried definition", "unknown piece"],
)
def test_a_place_is_found_in_the_notebook(place: local.Place, expected: Location | None) -> None:
    assert local.locate(_pipeline(), place) == expected


def test_json_of_a_run(tmp_path: Path) -> None:
    carried = {"format": 1, "outputs": [{"variable": "df", "port": "frame"}]}
    spec = package(
        a=task(outputs=["frame"], step=carried), b=task("sys.exit(1)", inputs=["a.frame"]), c=task(after=["b"])
    )
    result = run(spec, tmp_path)
    shown = local.to_json(result)
    assert re.fullmatch(r"sample-\d{8}-\d{6}-[0-9a-f]{4}", shown["run"])
    folder = str(tmp_path / "runs" / shown["run"])
    for found in shown["steps"]:
        assert isinstance(found.pop("seconds"), float)
    assert shown == {
        "run": shown["run"],
        "status": "failed",
        "folder": folder,
        "steps": [
            {"name": "a", "status": "succeeded", "log": f"{folder}/a/log.txt", "outputs": {"df": f"{folder}/a/frame"}},
            {"name": "b", "status": "failed", "log": f"{folder}/b/log.txt", "outputs": {}},
            {"name": "c", "status": "skipped", "log": None, "outputs": {}},
        ],
    }
    assert json.loads((result.folder / "run.json").read_text(encoding="utf-8")) == local.to_json(result)


def test_paths_are_absolute_from_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = local.run(package(a=task(outputs=["x"])), arguments={}, folder=Path("runs"), workdir=Path(), jobs=1)
    assert step(result, "a").outputs["x"] == tmp_path / "runs" / result.run / "a" / "x"


def test_a_folder_named_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    result = run(package(a=task()), tmp_path)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"latest", result.run}


def test_latest_points_to_the_last_run(tmp_path: Path) -> None:
    first, second = (run(package(a=task()), tmp_path) for _ in range(2))
    assert first.run != second.run
    assert (tmp_path / "runs" / "latest").resolve() == second.folder


def test_the_folder_of_runs_is_not_for_git(tmp_path: Path) -> None:
    assert local.default_root(tmp_path) == tmp_path / ".kalec" / "runs"
    assert (tmp_path / ".kalec" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert local.default_root(tmp_path).is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".kalec").touch()
    with pytest.raises(UsageError, match=r"the folder for runs .*/runs cannot be written: "):
        local.default_root(tmp_path)
    with pytest.raises(UsageError, match=r"the folder for runs .*kalec/x cannot be written: Not a directory"):
        local.run(package(a=task()), arguments={}, folder=tmp_path / ".kalec" / "x", workdir=tmp_path)


def _broken(change: Any) -> dict[str, Any]:
    spec = package(a=task(outputs=["x"]), b=task(inputs=["a.x"]))
    change(spec, spec["root"]["dag"]["tasks"])
    return spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({}, "this is not a pipeline package", id="empty"),
        pytest.param(_broken(lambda s, t: s.pop("components")), "this is not a pipeline package", id="no components"),
        pytest.param(_broken(lambda s, t: t.clear()), "has no tasks", id="no tasks"),
        pytest.param(_broken(lambda s, t: t["a"].update(dependentTasks=["b"])), "in a circle: a -> b -> a", id="cycle"),
        pytest.param(_broken(lambda s, t: t.pop("a")), "b waits for a, which the package does not have", id="unknown"),
        pytest.param(_broken(lambda s, t: t["b"].update(parameterIterator={})), "task b is part of a loop", id="loop"),
        pytest.param(
            _broken(lambda s, t: s["components"]["comp-a"].pop("outputDefinitions")), "has no output x", id="no output"
        ),
        pytest.param(_broken(lambda s, t: s["components"]["comp-a"].update(dag={})), "nested pipeline", id="nested"),
        pytest.param(package(a=task(command=[])), "no command", id="no command"),
        pytest.param(package(a=task(outputs=["../../x"])), "'../../x', which cannot be a file name", id="path as name"),
    ],
)
def test_packages_that_cannot_run_here(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(spec, tmp_path)
    assert message in str(caught.value)


def test_no_step_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 steps at once"):
        run(package(a=task()), tmp_path, jobs=0)


def test_events_tell_the_run(tmp_path: Path) -> None:
    seen: list[Any] = []
    result = run(package(a=task("sys.exit(1)"), b=task(after=["a"])), tmp_path, on_event=seen.append)
    assert seen == [
        local.RunStarted(result.run, result.folder, ("a", "b")),
        local.StepStarted("a"),
        local.StepEnded(step(result, "a")),
        local.StepEnded(step(result, "b")),
        local.RunEnded(result),
    ]


def test_concurrent_runs_in_one_folder(tmp_path: Path) -> None:
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: run(package(a=task()), tmp_path), range(12)))
    assert len({result.run for result in results}) == 12
    assert {result.status for result in results} == {local.Status.SUCCEEDED}
