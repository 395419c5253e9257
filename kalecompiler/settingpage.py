"""docs/settings.md, made from the rows of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR, Kind

_NOT = "not honoured"
_HEAD = """# Settings

<!-- made by docs/generate.py from kalecompiler/settingvalues.py and settingtable.py -->

Settings of a step stand in three places, and mean the same in each: in tags of its cells, in `[tool.kalecompiler]` of
pyproject.toml (for all steps, or in `[tool.kalecompiler.steps.NAME]` for one), and in the notebook's metadata (the key
`kalecompiler` takes the same table; `kubeflow_notebook` is Kale's). The more specific wins, a step's over that of all;
then the nearer: option, environment, notebook, pyproject.toml, default. `kalec config NB --show-origin` prints each
effective value and where it came from, `kalec config --schema` a JSON schema of the table, by which editors complete.

Every value is checked when the notebook is compiled, by the field's own rules. Whatever is accepted stands in the
package, at the place that its row names: `executors.*` and `pipelineConfig` are in the second document, under
`platforms.kubernetes`; `executors.*.container` and the rest in the first. Secrets stand there as references and never
as values.
"""
_MORE = """## More of what they mean

- **volumes**: `NAME:PATH`, then options. A volume's folder is also in the variable `KALE_VOLUME_NAME` (for `data`
  that is `KALE_VOLUME_DATA`), in the cluster and in a local run: a notebook that opens
  `os.environ.get("KALE_VOLUME_DATA", "/data")` runs in both, and in Jupyter. A local run cannot put a folder at
  `/data`. `access=` of an existing claim says what the cluster has, and is there for a warning (KC129). KFP has no
  field for a read-only mount: use a claim with the mode ReadOnlyMany. A step mounts a claim once.
- **new volumes** are made at the start of the run and deleted after the last step that uses them. Where one of these
  fails, the claim stays: KFP lets no task that takes a value from another, as the deleting one does, ignore failures.
- **exit step**: `exit:NAME` (`step:NAME` and `exit`, or the key `exit`) runs at the end, whatever happened. It gets
  the pipeline's parameters, no data of other steps, and the dict `final_status`: its `state` is SUCCEEDED or FAILED,
  `error` may have a `message`. It is not taken from the cache unless it says `cache:enabled`. For Jupyter, set
  `final_status = {"state": "SUCCEEDED"}` in a cell tagged `skip`.
- **ignore-failure**: all steps right before this one are named, and it reads nothing of them.
- **node-affinity**: what is required must hold all together; with a weight from 1 to 100 it is a wish.
- **retry**: count, wait before the first, factor of each next wait, longest wait.
- **secrets** stand in the package by name and key. A local run takes their values out of all logs and reports. A
  variable that holds one, as UTF-8, UTF-16 or numpy's text, is not kept in the snapshot of the step that has the
  secret; an encoded one (base64, compressed) is not recognised. One that is handed on lies in its artifact: the step's
  log warns, and the steps that take it keep no other variables. Logs in the cluster are as the step wrote them.
- **ephemeral-storage** is refused, as KFP has no field for it: an `empty-dir` with a size bounds what a step writes.
  **parallelism** too: `kalec run --jobs N` here, Argo's `namespaceParallelism` in the cluster.
- **together**: the variables are one object, or share a part that can be changed. The step hands all of them on, also
  those that it only got itself; a step after it that takes one takes all, and one that changes one hands all on. Each
  variable keeps an artifact of its own, and that of the first holds the others as well, under one memo: from this
  artifact they are loaded. A name that a step binds to something else leaves the group there.
- **Kale's** `clone` and `snap` volumes, snapshots and Katib runs have no effect; a warning says what to do instead.
- Text in a variable, a name or a path cannot hold `{{` or `}}`, which KFP's engine would replace.

## What was seen

Written with kfp 2.17 and kfp-kubernetes 2.17, and read back with their own classes. Exit steps with their final
status, retries and ignored failures were seen to work in `kfp.local` and in `kalec run`; the workspace in `kalec run`
(`kfp.local` runs such a package, and mounts none). On a cluster nothing of this page was seen.
"""


def document() -> str:
    """The whole page."""
    lines = [_HEAD, "## Settings of a step", "", *_table("setting", "tag")]
    lines += [_row(name, kind) for name, kind in GRAMMAR.items()]
    lines += ["", "## Settings of the whole pipeline", "", *_table("key"), *_values(), "", _MORE]
    return "\n".join(lines)


def _table(*first: str) -> list[str]:
    heads = [*first, "pyproject.toml", "Kale's metadata", "what it becomes", "KFP", "in a local run"]
    return [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]


def _row(name: str, kind: Kind) -> str:
    becomes = kind.becomes if " " in kind.becomes else f"`{kind.becomes}`"
    cells = [f"`{name}`", f"`{kind.example}`", f"`{kind.table}`" if kind.table else "", kind.kale, becomes]
    return f"| {' | '.join([*cells, kind.since, kind.local or _NOT])} |"


def _values() -> Iterator[str]:
    for key, value in VALUES.items():
        table = f"`{value.table}`" if value.table else ""
        cells = [f"`{key}`", table, value.kale, value.becomes, value.since, value.local or _NOT]
        yield f"| {' | '.join(cells)} |"
