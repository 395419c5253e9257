"""One row of the hard cases: a notebook, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Outcomes. A warned notebook compiles with a warning that names what may differ; a loud one fails when it runs.
RIGHT, REFUSED, LOUD, WARNED = "right", "refused", "loud", "warned"


@dataclass(frozen=True)
class Case:
    """`text` is a notebook in the format of `support`; `also` are other outcomes that the design allows.

    Of a notebook that compiles, `inputs` (step -> variable -> producer), `after` and `packages` are demanded exactly,
    `parallel` steps must not be ordered, `defaults` are those of the parameters, `metrics` what steps publish;
    `quiet` forbids warnings. `mentions` must stand in what is said of a refusal, failure or warning. `arguments`
    override parameters. Where the graph does not mean top to bottom, `prints` tells what a step prints and `ignore`
    what is not compared. `why` explains; `xfail` says why the row is known to be missed.
    """

    name: str
    expect: str
    text: str
    also: tuple[str, ...] = ()
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    after: Mapping[str, list[str]] = field(default_factory=dict)
    parallel: tuple[tuple[str, str], ...] = ()
    mentions: tuple[str, ...] = ()
    quiet: bool = False
    prints: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    packages: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    xfail: str = ""
