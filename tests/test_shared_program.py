"""A pipeline that would be large has the program that its steps run once, as a parameter."""

from __future__ import annotations

import dataclasses

import pytest
from pipelines import backend_bytes, chain

from kalecompiler import sizes
from kalecompiler.compile import compile_package
from kalecompiler.model import Chart, Parameter

MARK = "speaks the contract"


@pytest.mark.parametrize(("length", "programs"), [(20, 20), (90, 1), (200, 1)])
def test_the_package_has_it_once_where_it_would_be_large(length: int, programs: int) -> None:
    compiled = compile_package(chain(length))
    assert compiled.text.count(MARK) == programs
    assert 0 <= compiled.workflow_bytes / backend_bytes(compiled.spec) - 1 < 0.15
    assert compiled.workflow_bytes < sizes.WORKFLOW_WARNING
    commands = {item["container"]["command"][-1] for item in compiled.spec["deploymentSpec"]["executors"].values()}
    assert ("{{$.inputs.parameters['kalec_runtime']}}" in commands) == (programs == 1)


def test_it_takes_no_name_of_the_notebook() -> None:
    pipeline = dataclasses.replace(chain(90), parameters=(Parameter("kalec_runtime", "int", 1),))
    parameters = compile_package(pipeline).spec["root"]["inputDefinitions"]["parameters"]
    assert parameters.keys() == {"kalec_runtime", "kalec_runtime_"}
    first, *others = chain(90).steps
    first = dataclasses.replace(first, charts=(Chart("note", "markdown", "kalec_runtime", "system.Markdown"),))
    pipeline = dataclasses.replace(chain(90), steps=(first, *others))
    parameters = compile_package(pipeline).spec["root"]["inputDefinitions"]["parameters"]
    assert "kalec_runtime_" in parameters
