"""The launcher's part of KFP's executor contract: placeholders, addresses, output parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kalecompiler.local import executor
from kalecompiler.local.tasks import Constant, FromTask, Task

KIND = {"schemaTitle": "system.Artifact"}


def given() -> dict[str, Any]:
    """The executor input of a task with one of everything."""
    task = Task(
        "b",
        "b",
        ("true",),
        parameters={
            "text": Constant("a 'q' {{$}} é"),
            "whole": Constant(5.0),
            "small": Constant(1e-7),
            "large": Constant(1e300),
            "flag": Constant(True),
            "items": Constant([1.0, "x"]),
        },
        artifacts={"df": FromTask("a", "df")},
        types={"model": KIND},
        output_parameters=("score",),
    )
    above = {"a": executor.Produced({"df": {"name": "df", "type": KIND, "uri": "s3://bucket/df", "metadata": {}}}, {})}
    return executor.executor_input(task, {}, above, Path("/run/b"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain {text} $x", "plain {text} $x"),
        ("{{$.inputs.parameters['text']}}", "a 'q' {{$}} é"),
        ("--n={{$.inputs.parameters['whole']}}!", "--n=5!"),
        ("{{$.inputs.parameters['small']}}", "0.0000001"),
        ("{{$.inputs.parameters['flag']}}", "true"),
        ("{{$.inputs.parameters['items']}}", '[1,"x"]'),
        ("{{$.inputs.artifacts['df'].uri}}", "s3://bucket/df"),
        ("{{$.inputs.artifacts['df'].path}}", "/s3/bucket/df"),
        ("{{$.outputs.artifacts['model'].uri}} {{$.outputs.artifacts['model'].path}}", "/run/b/model /run/b/model"),
        ("{{$.outputs.parameters['score'].output_file}}", "/run/b/score"),
        ("{{$.inputs.parameters['none']}}", "{{$.inputs.parameters['none']}}"),
        ("{{$.outputs.output_file}}", "{{$.outputs.output_file}}"),
        ("{{ jinja }} {{$x", "{{ jinja }} {{$x"),
    ],
    ids=[
        "no placeholder",
        "text is not looked at again",
        "inside a word",
        "no exponent",
        "truth value",
        "list as json",
        "address of an input",
        "path of an input",
        "address and path of an output",
        "output parameter",
        "unknown input",
        "what the launcher does not know",
        "other braces",
    ],
)
def test_placeholders(word: str, expected: str) -> None:
    assert executor.substitute([word], given()) == [expected]


def test_the_whole_input_is_one_placeholder() -> None:
    (text,) = executor.substitute(["{{$}}"], given())
    assert json.loads(text) == given()
    assert "é" in text


def test_every_placeholder_of_the_launchers_form_in_the_input_survives() -> None:
    """A parameter that looks like a placeholder stays the user's text, wherever the input goes."""
    (text,) = executor.substitute(["{{$}}"], given())
    assert json.loads(text)["inputs"]["parameterValues"]["text"] == "a 'q' {{$}} é"


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        ({"uri": "/plain/path"}, "/plain/path"),
        ({"uri": "gs://b/k"}, "/gcs/b/k"),
        ({"uri": "minio://b/k"}, "/minio/b/k"),
        ({"uri": "oci://b/k"}, "/oci/b/k"),
        ({"uri": "gs://b/k", "customPath": "/mnt/x"}, "/mnt/x"),
    ],
    ids=["local", "gcs", "minio", "oci", "custom path first"],
)
def test_where_an_artifact_lies(artifact: dict[str, str], expected: str) -> None:
    assert executor.path_of(artifact) == Path(expected)


def test_an_output_may_have_moved(tmp_path: Path) -> None:
    entry = {"name": "model", "uri": str(tmp_path / "elsewhere"), "metadata": {"size": 3}}
    (tmp_path / "elsewhere").touch()
    written = {"artifacts": {"model": {"artifacts": [entry]}}, "parameterValues": {"score": 1}}
    produced = executor.read_output(_left_behind(tmp_path, json.dumps(written)))
    assert produced.artifacts["model"] == {**entry, "type": KIND}
    assert produced.parameters == {"score": 1}


def test_an_output_parameter_may_come_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "score").write_text("0.5", encoding="utf-8")
    (tmp_path / "model").touch()
    assert executor.read_output(_left_behind(tmp_path, "{}")).parameters == {"score": "0.5"}


def test_an_output_parameter_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    with pytest.raises(executor.ContractError, match="the output parameter score was not written"):
        executor.read_output(_left_behind(tmp_path, "{}"))


def _left_behind(folder: Path, text: str) -> dict[str, Any]:
    task = Task("b", "b", ("true",), types={"model": KIND}, output_parameters=("score",))
    (folder / executor.OUTPUT_FILE).write_text(text, encoding="utf-8")
    return executor.executor_input(task, {}, {}, folder)


def test_the_input_is_one_that_kfp_reads() -> None:
    """Strictly: no field that its message does not have."""
    json_format = pytest.importorskip("google.protobuf.json_format")
    pipeline_spec = pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")
    message = json_format.ParseDict(given(), pipeline_spec.ExecutorInput())
    assert message.outputs.artifacts["model"].artifacts[0].uri == "/run/b/model"
    assert message.inputs.parameter_values["whole"].number_value == 5
