"""Every setting, from each place where it can stand, reaches its documented spot of the package, or is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from support import write_notebook

from kalecompiler import commands, settingpage
from kalecompiler.diagnostics import Diagnostic, NotebookError, UsageError
from kalecompiler.model import StepSettings
from kalecompiler.plan import plan
from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR, Shape
from kalecompiler.submit import runs

Json = Any

# What each row's example becomes: the path from the package's root, and what stands there. `E` is the executor's
# configuration in the platform document, `C` its container, `T` the task.
BECOMES: dict[str, dict[str, Json]] = {
    "image": {"C.image": "python:3.11"},
    "image-pull-policy": {"E.imagePullPolicy": "Always"},
    "image-pull-secret": {"E.imagePullSecret.0.secretName": "registry"},
    "cache": {"T.cachingOptions.enableCache": True},
    "cache-key": {"T.cachingOptions.cacheKey": "v2"},
    "retry": {
        "T.retryPolicy": {
            "maxRetryCount": 3,
            "backoffDuration": "30s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "600s",
        }
    },
    "timeout": {"E.activeDeadlineSeconds": "1800"},
    "env": {"C.env": [{"name": "LOG_LEVEL", "value": "debug"}]},
    "limit": {"C.resources.resourceMemoryLimit": "4Gi"},
    "request": {"C.resources.resourceCpuRequest": "500m"},
    "secret": {
        "E.secretAsEnv.0.secretName": "database",
        "E.secretAsEnv.0.keyToEnv": [{"secretKey": "password", "envVar": "DB_PASSWORD"}],
    },
    "secret-volume": {
        "E.secretAsVolume.0.secretName": "certificates",
        "E.secretAsVolume.0.mountPath": "/etc/certificates",
        "C.env": [{"name": "KALE_VOLUME_CERTIFICATES", "value": "/etc/certificates"}],
    },
    "config-map": {
        "E.configMapAsEnv.0.configMapName": "service",
        "E.configMapAsEnv.0.keyToEnv": [{"configMapKey": "url", "envVar": "SERVICE_URL"}],
    },
    "config-map-volume": {
        "E.configMapAsVolume.0.configMapName": "service",
        "E.configMapAsVolume.0.mountPath": "/etc/service",
    },
    "field-path": {"E.fieldPathAsEnv": [{"name": "POD_NAME", "fieldPath": "metadata.name"}]},
    "volume": {
        "E.pvcMount.0.constant": "data",
        "E.pvcMount.0.mountPath": "/data",
        "E.pvcMount.0.subPath": "raw",
        "C.env": [{"name": "KALE_VOLUME_DATA", "value": "/data"}],
    },
    "new-volume": {
        "E.pvcMount.0.taskOutputParameter": {"producerTask": "createpvc", "outputParameterKey": "name"},
        "E.pvcMount.0.mountPath": "/scratch",
        "root.dag.tasks.createpvc.inputs.parameters.size.runtimeValue.constant": "10Gi",
        "root.dag.tasks.createpvc.inputs.parameters.storage_class_name.runtimeValue.constant": "standard",
        "root.dag.tasks.createpvc.inputs.parameters.access_modes.runtimeValue.constant": ["ReadWriteOnce"],
        "root.dag.tasks.createpvc.cachingOptions": {},
        "root.dag.tasks.deletepvc.dependentTasks": ["createpvc", "train"],
        "root.dag.tasks.deletepvc.cachingOptions": {},
    },
    "empty-dir": {
        "E.emptyDirMounts": [{"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "2Gi"}]
    },
    "ephemeral-volume": {
        "E.genericEphemeralVolume": [
            {
                "volumeName": "work",
                "mountPath": "/work",
                "accessModes": ["ReadWriteOnce"],
                "size": "50Gi",
                "storageClassName": "fast",
            }
        ]
    },
    "node-selector": {"E.nodeSelector.labels": {"disktype": "ssd"}},
    "toleration": {
        "E.tolerations": [{"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}]
    },
    "node-affinity": {
        "E.nodeAffinity.0.matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b"]}
        ]
    },
    "label": {"E.podMetadata.labels": {"team": "vision"}},
    "annotation": {"E.podMetadata.annotations": {"example.com/note": "any text"}},
    "security-context": {"E.securityContext": {"runAsUser": "1000"}},
    "display-name": {"T.taskInfo.name": "Train the model"},
    "exit": {
        "T.triggerPolicy.strategy": "ALL_UPSTREAM_TASKS_COMPLETED",
        "T.dependentTasks": ["exit-handler-1"],
        "T.inputs.parameters.final_status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}},
        "T.cachingOptions": {},
        "components.comp-exit-handler-1.dag.tasks.load.taskInfo.name": "load",
    },
    "ignore-failure": {"T.triggerPolicy.strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
}
# These are no fields of KFP: what they do is tested with the dataflow and the values.
IN_THE_STEP = {"max-artifact-size", "preview", "changes", "metrics", "report", "snapshot", "together"}
VALUE_BECOMES: dict[str, dict[str, Json]] = {
    "pipeline-name": {"pipelineInfo.name": "churn"},
    "display-name": {"pipelineInfo.displayName": "Who leaves?"},
    "description": {"pipelineInfo.description": "Who leaves, and why"},
    "exit": {"components.comp-exit-handler-1.dag.tasks.load.taskInfo.name": "load"},
    "pipeline-root": {"defaultPipelineRoot": "s3://bucket/runs"},
    "ttl": {"platforms.kubernetes.pipelineConfig.resourceTtlOnCompletion": 604800},
    "run-timeout": {"platforms.kubernetes.pipelineConfig.activeDeadlineSeconds": 21600},
    "workspace": {
        "platforms.kubernetes.pipelineConfig.workspace": {
            "size": "10Gi",
            "kubernetes": {"pvcSpecPatch": {"storageClassName": "fast", "accessModes": ["ReadWriteMany"]}},
        },
        "T.inputs.parameters.workspace.runtimeValue.constant": "{{$.workspace_path}}",
        "C.env": [{"name": "KALE_VOLUME_WORKSPACE", "value": "/kfp-workspace"}],
    },
}
# Read elsewhere: the experiment when a run is submitted, the others with packages and dataflow.
NOT_IN_THE_PACKAGE = {"experiment", "parallelism", "requirements", "packages", "index-url", "trusted-hosts", "pure"}

TEXT = "# %% step:load\nx = 1\nprint(x)\n# %% {tags}\nmodel = 2\nmatrix = [[1]]\nweights = matrix\nprint(model)\n"


def notebook(folder: Path, *tags: str, **metadata: Json) -> Path:
    """Steps `load` and `train`, the second with these tags, in an order only where a tag gives one."""
    return write_notebook(folder / "n.ipynb", TEXT.format(tags=json.dumps(["step:train", *tags])), **metadata)


def pyproject(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def package(path: Path) -> tuple[Json, Json]:
    """The two documents of a package, read from its YAML; each is what KFP's own classes hold."""
    compiled = commands.compile_(path, {}).compiled
    documents = list(yaml.safe_load_all(compiled.text))
    spec, platform = (*documents, {})[:2]
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec(), ignore_unknown_fields=False)
    executors = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    for config in executors.values():
        message = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        json_format.ParseDict(config, message, ignore_unknown_fields=False)
    return spec, platform


def at(documents: tuple[Json, Json], spot: str) -> Json:
    """What stands at a spot of the package."""
    spec, platform = documents
    roots = {
        "E": lambda: platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"],
        "C": lambda: spec["deploymentSpec"]["executors"]["exec-train"]["container"],
        "T": lambda: spec["root"]["dag"]["tasks"]["train"],
        "platforms": lambda: platform["platforms"],
    }
    first, *rest = spot.split(".")
    found = roots[first]() if first in roots else spec[first]
    for key in rest:
        found = found[int(key)] if key.isdigit() else found[key]
    return found


def settings_of(path: Path) -> StepSettings:
    planned = plan(path, {})
    assert planned.pipeline is not None, planned.diagnostics
    return next(step for step in planned.draft.steps if step.name == "train").settings


def test_every_row_is_in_one_of_the_tables() -> None:
    rows = set(GRAMMAR)
    assert set(BECOMES) | IN_THE_STEP == rows
    assert set(VALUE_BECOMES) | NOT_IN_THE_PACKAGE == set(VALUES)


@pytest.mark.parametrize("kind", BECOMES)
def test_a_tag_changes_the_package_at_its_spot_and_nothing_without_it(kind: str, tmp_path: Path) -> None:
    before = ["prev:load"] if kind == "ignore-failure" else []
    found = package(notebook(tmp_path, GRAMMAR[kind].example, *before))
    for spot, expected in BECOMES[kind].items():
        assert at(found, spot) == expected, spot
    assert found != package(notebook(tmp_path, *before)) or kind in ("image", "cache")


@pytest.mark.parametrize("kind", [kind for kind, row in GRAMMAR.items() if row.name])
def test_a_setting_means_the_same_wherever_it_stands(kind: str, tmp_path: Path) -> None:
    row = GRAMMAR[kind]
    before = ["prev:load"] if kind == "ignore-failure" else []
    table, _, _ = row.table.partition("\n")
    if kind == "node-affinity":
        table = 'node-affinity = ["topology.kubernetes.io/zone:In:a,b"]'
    if kind == "security-context":
        table = "security-context = {run-as-user = 1000}"
    tag = row.example.replace("enabled", "disabled")
    expected = settings_of(notebook(tmp_path, tag, *before))
    pyproject(tmp_path, f"[tool.kalecompiler.steps.train]\n{table}\n")
    assert settings_of(notebook(tmp_path, *before)) == expected
    pyproject(tmp_path, "")
    value = json_of(table)
    assert settings_of(notebook(tmp_path, *before, kalecompiler={"steps": {"train": value}})) == expected
    if not row.shared:
        return
    pyproject(tmp_path, f"[tool.kalecompiler]\n{table}\n")
    assert settings_of(notebook(tmp_path, *before)) == expected
    pyproject(tmp_path, f"[tool.kalecompiler]\ntags = [{json.dumps(tag)}]\n")
    assert settings_of(notebook(tmp_path, *before)) == expected
    pyproject(tmp_path, "")
    assert settings_of(notebook(tmp_path, *before, kalecompiler=value)) == expected
    assert settings_of(notebook(tmp_path, *before, kubeflow_notebook={"steps_defaults": [tag]})) == expected


def json_of(table: str) -> Json:
    """A line of TOML as JSON values."""
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(table)


OTHERS = {
    "image": "image:python:3.12",
    "cache": "cache:disabled",
    "limit": "limit:memory:1Gi",
    "label": "label:team:other",
    "preview": "preview:6",
    "node-selector": "node-selector:disktype:hdd",
    "timeout": "timeout:2h",
    "volume": "volume:data:/other",
    "secret": "secret:other:key:DB_PASSWORD",
}


@pytest.mark.parametrize(("kind", "other"), OTHERS.items(), ids=OTHERS)
def test_a_steps_own_value_wins_over_that_of_all(kind: str, other: str, tmp_path: Path) -> None:
    alone = settings_of(notebook(tmp_path, GRAMMAR[kind].example))
    pyproject(tmp_path, f"[tool.kalecompiler]\ntags = [{json.dumps(other)}]\n")
    assert settings_of(notebook(tmp_path, GRAMMAR[kind].example)) == alone != settings_of(notebook(tmp_path))


@pytest.mark.parametrize("key", VALUE_BECOMES)
def test_a_value_of_the_pipeline_reaches_its_spot(key: str, tmp_path: Path) -> None:
    table = VALUES[key].table.replace("cleanup", "train")
    pyproject(tmp_path, f"[tool.kalecompiler]\n{table}\n")
    found = package(notebook(tmp_path))
    for spot, expected in VALUE_BECOMES[key].items():
        assert at(found, spot) == expected, spot
    pyproject(tmp_path, "")
    assert package(notebook(tmp_path, kalecompiler=json_of(table))) == found


# A wrong value for each row that takes any: as in a tag.
WRONG: dict[str, list[str]] = {
    "image": ["a b", "Größe", "python:{{x}}", "-a", "a" * 600],
    "image-pull-policy": ["always", "Sometimes"],
    "image-pull-secret": ["My_Secret", "a" * 254],
    "cache": ["maybe"],
    "cache-key": ["two\nlines", "{{x}}", "k" * 129],
    "retry": ["0", "x", "3:soon", "3:30s:0", "3:30s:2:x", "3:1s:2:1h:5", "-1"],
    "timeout": ["0", "soon", "1.5h", "30 m"],
    "env": ["1A:b", "A B:c", "A:{{x}}", "A:nul\0", "A:" + "x" * 100_001],
    "limit": ["cpu:two", "memory:4GB", "-x:1"],
    "request": ["cpu:1 000"],
    "secret": ["Db:key:ENV", "db:a key:ENV", "db:key:1ENV"],
    "secret-volume": ["a.b:/x", "db:x", "db:/", "db:/a/../b"],
    "config-map": ["Db:key:ENV"],
    "config-map-volume": ["db:relative"],
    "field-path": ["POD:metadata.nome", "1P:metadata.name", "A:metadata.labels['a:b']"],
    "volume": ["data:x", "Data:/x", "data:/x:ro", "data:/x:sub-path=/a", "data:/x:size=1Gi", "data:/x:access=RWX"],
    "new-volume": ["a:/x", "a:/x:size=1Gi", "a:/x:size=big,class=c", "a:/x:size=1Gi,class=c,class=d"],
    "empty-dir": ["a:/x:medium=Disk", "a:/x:size=0"],
    "ephemeral-volume": ["a:/x", "a:/x:size=1Gi,access=x"],
    "node-selector": ["a:b c", "/a:b"],
    "toleration": ["a:Never", "a=b c:NoSchedule", "a:NoSchedule:30", "a:NoExecute:x", "*=b"],
    "node-affinity": ["zone:Like:a", "zone:In", "zone:Exists:a", "zone:Gt:x", "zone:In:a:101", "zone:In:a,,b"],
    "label": ["team:-a", "a b:c", f"a:{'x' * 64}"],
    "annotation": [f"{'x' * 64}:a", "a:" + "x" * 100_001],
    "security-context": ["run-as-user:root", "run-as-user:-1", "fs-group:1", "run-as-non-root:yes"],
    "display-name": ["two\nlines", "{{x}}", "n" * 129],
    "max-artifact-size": ["0", "2GB"],
    "preview": ["101", "x"],
    "snapshot": ["some", "ALL"],
    "report": ["maybe"],
    "metrics": ["a.b", "matrix=pie", "=roc"],
    "ignore-failure": [" "],
    "changes": ["a.b"],
    "together": ["a", "a,", "a,a", "a.b,c", "a, b", "a,b,a"],
}


@pytest.mark.parametrize(("kind", "rest"), [(kind, rest) for kind, rests in WRONG.items() for rest in rests],
                         ids=lambda text: text[:30])  # fmt: skip
def test_a_wrong_value_is_refused_on_its_cell_and_tag_with_an_example(kind: str, rest: str, tmp_path: Path) -> None:
    tag = f"{kind}:{rest}"
    (finding,) = refused(notebook(tmp_path, tag))
    assert finding.rule.code in ("KC102", "KC123")
    assert (finding.location.cell, finding.location.tag) == (2, tag)
    assert GRAMMAR[kind].example in str(finding.hint)
    assert len(finding.message) < 400


def test_every_row_that_takes_a_value_has_a_wrong_one() -> None:
    assert set(WRONG) == set(GRAMMAR) - {"exit"}  # it takes a step's name, which is tested with the exit steps


@pytest.mark.parametrize("kind", [kind for kind in WRONG if GRAMMAR[kind].name])
def test_a_wrong_value_in_a_table_is_refused_with_its_place(kind: str, tmp_path: Path) -> None:
    row, rest = GRAMMAR[kind], WRONG[kind][0]
    name, _, value = rest.rpartition(":") if row.shape is Shape.PAIRS else ("", "", rest)
    content: Json = {name: value} if row.shape is Shape.PAIRS else [rest] if row.shape is Shape.LIST else rest
    (finding,) = refused(notebook(tmp_path, kalecompiler={"steps": {"train": {row.name: content}}}))
    assert finding.rule.code == "KC132"
    assert f"`steps.train`: `{row.name}" in finding.message
    assert finding.location.key[:5] == ("metadata", "kalecompiler", "steps", "train", row.name)
    if not row.shared:
        return
    (finding,) = refused(notebook(tmp_path, kalecompiler={row.name: content}))
    assert finding.rule.code == "KC132"
    assert f"`{row.name}" in finding.message
    assert finding.location.key[:3] == ("metadata", "kalecompiler", row.name)
    inline = json.dumps(content) if not isinstance(content, dict) else f"{{{json.dumps(name)} = {json.dumps(value)}}}"
    pyproject(tmp_path, f"[tool.kalecompiler]\n{row.name} = {inline}\n")
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'pyproject.toml'}: `{row.name}")):
        plan(notebook(tmp_path), {})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('pipeline-root = "bucket"', "`bucket` is no address like gs://bucket/folder"),
        ("ttl = 0", "`0` is no duration"),
        ('run-timeout = "long"', "`long` is no duration"),
        ('workspace = "1e3"', "`1e3` is no size"),
        ('workspace = "1Gi:size=2Gi"', "none of its options"),
        ('display-name = "a\\nb"', "no text on one line"),
        ('exit = " "', "`exit` is wrong: its value is missing"),
        ('requirements = ""', "`requirements` is wrong: its value is missing"),
        ('pipeline-name = ""', "`pipeline-name` is wrong: its value is missing"),
        ('experiment = "a\\nb"', "`a\\nb` is no name on one line"),
        ('index-url = "pypi"', "`pypi` is no address of an index"),
        (
            'index-url = "https://me:word@pypi.example.com"',
            "which would stand in the package; write the address without",
        ),
        ('packages = ["a @ git+https://token@example.com/a"]', "it holds an address with a user or password"),
        ('trusted-hosts = ["a/b"]', "`a/b` is no name of a host"),
        ("image_pull_policy = 'Always'\nimage-pull-policy = 'Never'", "has `image-pull-policy` twice, once with `_`"),
        ("steps.train.limits.cpu = 'two'", "`steps.train`: `limits.cpu` is wrong: `two` is no quantity"),
        ("steps.train.tags = ['exit:']", "`steps.train`: `tags`: `exit:` is no setting of a step"),
        ("parallelism = 2", "KFP has no field for the number of steps that run at once; give a local run `--jobs N`"),
    ],
)
def test_a_wrong_value_of_the_pipeline_is_refused(line: str, message: str, tmp_path: Path) -> None:
    pyproject(tmp_path, f"[tool.kalecompiler]\n{line}\n")
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(notebook(tmp_path), {})


def refused(path: Path) -> list[Diagnostic]:
    planned = plan(path, {})
    assert planned.pipeline is None
    return [finding for finding in planned.diagnostics if finding.severity.value == "error"]


CONFLICTS: dict[str, tuple[list[str], str]] = {
    "a variable twice": (["env:A:1", "secret:s:k:A"], "has the variable `A` from `env` and from `secret`"),
    "a volume's variable": (["env:KALE_VOLUME_D:1", "volume:d:/d"], "`KALE_VOLUME_D`"),
    "a path twice": (["volume:d:/d", "empty-dir:e:/d"], "has the path `/d`"),
    "a path twice, of one kind": (["volume:d:/d", "volume:e:/d"], "both volumes `d` and `e` at `/d`"),
    "a path twice, spelt in two ways": (["volume:d:/d", "volume:e://d/"], "both volumes `d` and `e` at `/d`"),
    "a volume's name twice": (["volume:d:/d", "secret-volume:d:/e"], "has the volume `d`"),
    "a root that must not be": (
        ["security-context:run-as-user:0", "security-context:run-as-non-root:true"],
        "is to run as user 0, and not as root, so its pod would never start",
    ),
    "a request above its limit": (["request:cpu:2", "limit:cpu:500m"], "requests 2 of cpu, and its limit is 500m"),
}


@pytest.mark.parametrize(("tags", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_settings_that_do_not_go_together(tags: list[str], message: str, tmp_path: Path) -> None:
    found = refused(notebook(tmp_path, *tags))
    assert {finding.rule.code for finding in found} == {"KC126"}
    assert message in found[0].message or message in found[-1].message
    assert found[0].location.tag in tags


EXITS: dict[str, tuple[str, str]] = {
    "data of another step": ("# %% step:a\nx = 1\n# %% exit:b\nprint(x)", "reads `x` from `a`"),
    "an order": ("# %% step:a\nx = 1\n# %% exit:b prev:a\ny = 1", "is to run after `a`"),
    "two of them": ("# %% step:a\nx = 1\n# %% exit:b\ny = 1\n# %% exit:c\nz = 1", "both `b` and `c` are exit steps"),
    "nothing before it": ("# %% exit:b\ny = 1", "is the only step"),
    "a step after it": ("# %% step:a\nx = 1\n# %% exit:b\ny = 1\n# %% step:c\nprint(y)", "runs after `b`"),
    "a step named like the group": ("# %% step:exit_handler_1\nx = 1\n# %% exit:b\ny = 1", "that KFP gives the group"),
    "its status elsewhere": ("# %% step:a\nprint(final_status)\n# %% exit:b\ny = 1", "reads `final_status`"),
    "a parameter of that name": (
        "# %% pipeline-parameters\nfinal_status = 1\n# %% step:a\nx = 1\n# %% exit:b\nprint(final_status)",
        "hides how the run ended",
    ),
    "a new volume": (
        "# %% step:a\nx = 1\n# %% exit:b new-volume:v:/v:size=1Gi,class=c\ny = 1",
        "cannot have `new-volume`",
    ),
}


@pytest.mark.parametrize(("text", "message"), EXITS.values(), ids=EXITS)
def test_what_an_exit_step_cannot_be(text: str, message: str, tmp_path: Path) -> None:
    found = refused(write_notebook(tmp_path / "n.ipynb", text))
    assert {finding.rule.code for finding in found} == {"KC127"}
    assert any(message in finding.message for finding in found)


IGNORED: dict[str, tuple[str, str]] = {
    "its own": ("# %% step:a ignore-failure:a\nx = 1", "step `a` cannot ignore its own failure"),
    "of the exit step": (
        "# %% step:a\nx = 1\n# %% step:b ignore-failure:e\ny = 1\n# %% exit:e\nz = 1",
        "cannot ignore the failure of the exit step `e`, which runs last",
    ),
    "no such step": ("# %% step:a\nx = 1\n# %% step:b ignore-failure:c prev:a\ny = 1", "there is no step `c`"),
    "not right before": ("# %% step:a\nx = 1\n# %% step:b ignore-failure:a\ny = 1", "does not run right after `a`"),
    "with its data": ("# %% step:a\nx = 1\n# %% step:b ignore-failure:a prev:a\nprint(x)", "reads `x` from `a`"),
    "one of two": (
        "# %% step:a\nx = 1\n# %% step:c\nz = 1\n# %% step:b ignore-failure:a prev:a:c\ny = 1",
        "also runs after `c`",
    ),
}


@pytest.mark.parametrize(("text", "message"), IGNORED.values(), ids=IGNORED)
def test_failures_that_cannot_be_ignored(text: str, message: str, tmp_path: Path) -> None:
    found = refused(write_notebook(tmp_path / "n.ipynb", text))
    assert {finding.rule.code for finding in found} == {"KC128"}
    assert message in found[0].message


def test_a_claim_for_one_node_warns_only_where_steps_may_run_at_once(tmp_path: Path) -> None:
    claim = "volume:d:/d:access=ReadWriteOnce"
    apart = f"# %% step:a {claim}\nx = 1\n# %% step:b {claim}\ny = 1"
    assert [f.rule.code for f in plan(write_notebook(tmp_path / "n.ipynb", apart), {}).diagnostics] == ["KC129"]
    for fine in (
        apart.replace("step:b", "step:b prev:a"),
        apart.replace("Once", "Many"),
        apart.replace("b vol", "b x"),
    ):
        assert plan(write_notebook(tmp_path / "n.ipynb", fine), {}).diagnostics == ()


def test_a_workspace_for_one_node_warns_too(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.kalecompiler]\nworkspace = "1Gi:access=ReadWriteOnce"\n')
    assert [finding.rule.code for finding in plan(notebook(tmp_path), {}).diagnostics] == ["KC129"]
    assert plan(notebook(tmp_path, "prev:load"), {}).diagnostics == ()


def test_two_steps_cannot_be_shown_under_one_name(tmp_path: Path) -> None:
    (finding,) = refused(notebook(tmp_path, "display-name:load"))
    assert (finding.rule.code, finding.location.tag) == ("KC126", "display-name:load")
    assert finding.message == "steps `load` and `train` would both be shown as `load`"


def test_the_steps_of_a_remote_run_are_those_within_the_exit_handlers_group(tmp_path: Path) -> None:
    spec, _ = package(
        write_notebook(tmp_path / "n.ipynb", TEXT.format(tags="step:train prev:load") + "# %% exit:bye\n1")
    )
    assert sorted(spec["root"]["dag"]["tasks"]) == ["bye", "exit-handler-1"]
    assert runs.ordered(runs.tasks_of(spec)) == ("load", "train", "bye")


def test_ephemeral_storage_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (finding,) = refused(notebook(tmp_path, "limit:ephemeral-storage:10Gi"))
    assert (finding.rule.code, finding.location.tag) == ("KC506", "limit:ephemeral-storage:10Gi")
    assert "`empty-dir:work:/work:size=10Gi`" in str(finding.hint)


def test_new_volumes_of_two_steps_are_one_claim_that_both_end(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.kalecompiler]\nnew-volumes = ["w:/w:size=1Gi,class=c"]\n')
    spec, _ = package(notebook(tmp_path))
    assert sorted(spec["root"]["dag"]["tasks"]) == ["createpvc", "deletepvc", "load", "train"]
    assert spec["root"]["dag"]["tasks"]["deletepvc"]["dependentTasks"] == ["createpvc", "load", "train"]
    with pytest.raises(NotebookError, match="has other options than that of another step"):
        commands.compile_(notebook(tmp_path, "new-volume:w:/w:size=2Gi,class=c"), {})


def test_a_node_may_be_chosen_by_a_label_without_a_value(tmp_path: Path) -> None:
    tag = "node-selector:node-role.kubernetes.io/gpu:"
    assert at(package(notebook(tmp_path, tag)), "E.nodeSelector.labels") == {"node-role.kubernetes.io/gpu": ""}


def test_a_wrong_value_of_a_step_in_the_metadata_is_found_by_its_keys(tmp_path: Path) -> None:
    (finding,) = refused(notebook(tmp_path, kalecompiler={"steps": {"train": {"limits": {"cpu": "two"}}}}))
    assert finding.location.key == ("metadata", "kalecompiler", "steps", "train", "limits", "cpu")


def test_an_older_kfp_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.15.2")
    pyproject(tmp_path, '[tool.kalecompiler]\nttl = "7d"\n')
    with pytest.raises(UsageError, match=r"`ttl` needs kfp 2\.17, and 2\.15\.2 is installed: pip install"):
        commands.compile_(notebook(tmp_path), {})
    pyproject(tmp_path, "")
    with pytest.raises(UsageError, match=r"`sub-path` of step `train` needs kfp 2\.16"):
        commands.compile_(notebook(tmp_path, "volume:d:/d:sub-path=x"), {})


def test_the_page_of_the_settings_has_every_row() -> None:
    page = settingpage.document()
    for row in GRAMMAR.values():
        assert f"`{row.example}`" in page
    assert all(f"| `{key}` |" in page for key in VALUES)
