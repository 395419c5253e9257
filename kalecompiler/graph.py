"""The pipeline as a graph, for programs (JSON, a public contract) and for people (Mermaid, Graphviz's dot, text).

The SVG picture is in `picture`. All functions are pure: a pipeline goes in, text comes out.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kalecompiler.internal import is_internal
from kalecompiler.model import Parameter, Pipeline, Step
from kalecompiler.wording import counted


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` runs after `source`, and gets `variables` from it; none where only the order was asked for."""

    source: str
    target: str
    variables: tuple[str, ...]

    @property
    def label(self) -> str:
        return ", ".join(self.variables)


def edges(steps: Sequence[Step]) -> tuple[Edge, ...]:
    """The edges between the given steps: to each from its direct predecessors and from whoever made its inputs."""
    known = [step.name for step in steps]
    found = []
    for step in steps:
        variables: dict[str, set[str]] = {name: set() for name in step.after}
        for artifact in step.inputs:
            variables.setdefault(artifact.producer, set()).add(artifact.variable)
        found += [Edge(name, step.name, tuple(sorted(variables[name]))) for name in known if name in variables]
    return tuple(found)


def ranks(steps: Sequence[Step]) -> dict[str, int]:
    """How far each step is from the start: 0 for those that wait for nobody, else one more than the last it waits for.

    A graph with a cycle (it is drawn too, with its error) gets numbers that differ along most of its edges.
    """
    rank = {step.name: 0 for step in steps}
    arrows = edges(steps)
    for _ in steps:
        before = dict(rank)
        for edge in arrows:
            rank[edge.target] = min(max(rank[edge.target], rank[edge.source] + 1), len(steps) - 1)
        if rank == before:
            break
    return rank


def to_json(pipeline: Pipeline, diagnostics: Sequence[Mapping[str, Any]]) -> str:
    """The public contract, as JSON text; `diagnostics` are records as `kalec check --format json` prints them."""
    document = {
        "pipeline": pipeline.name,
        "parameters": [_parameter_record(parameter) for parameter in pipeline.parameters],
        "steps": [_step_record(step) for step in pipeline.steps],
        "diagnostics": list(diagnostics),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _parameter_record(parameter: Parameter) -> dict[str, Any]:
    return {"name": parameter.name, "type": parameter.type, "default": parameter.default}


def _step_record(step: Step) -> dict[str, Any]:
    inputs = sorted((a.variable, a.producer) for a in step.inputs if not is_internal(a.variable))
    return {
        "name": step.name,
        "after": sorted(step.after),
        "inputs": [{"variable": variable, "producer": producer} for variable, producer in inputs],
        "definitions": sorted(step.definitions),
        "outputs": sorted(o.variable for o in step.outputs if not is_internal(o.variable)),
        "parameters": sorted(step.parameters),
        "packages": sorted(package.requirement for package in step.packages),
        "cells": sorted(step.cells),
    }


def to_text(pipeline: Pipeline) -> str:
    """A list of the steps: the number before each says how early it can start, and equal ones can run together."""
    width = max((len(step.name) for step in pipeline.steps), default=0)
    rank = ranks(pipeline.steps)
    lines = [f"{pipeline.name}: {counted(len(pipeline.steps), 'step')}"]
    lines += [f"  {parameter.name}: {parameter.type} = {parameter.default!r}" for parameter in pipeline.parameters]
    incoming: dict[str, list[Edge]] = {}
    for edge in edges(pipeline.steps):
        incoming.setdefault(edge.target, []).append(edge)
    for step in sorted(pipeline.steps, key=lambda step: rank[step.name]):
        told = incoming.get(step.name, ())
        sources = "; ".join(edge.source + (f" ({edge.label})" if edge.label else "") for edge in told)
        lines.append(f"{rank[step.name] + 1:3}  {step.name:<{width}}  {'<- ' + sources if sources else ''}".rstrip())
    return "\n".join(lines) + "\n"


def to_mermaid(pipeline: Pipeline) -> str:
    """A Mermaid flowchart; an arrow that only gives the order is dotted."""
    ids = {step.name: f"s{number}" for number, step in enumerate(pipeline.steps, 1)}
    lines = ["---", f"title: {json.dumps(pipeline.name)}", "---", "flowchart TD"]
    lines += [f'    {ids[step.name]}["{_mermaid(step.name)}"]' for step in pipeline.steps]
    for edge in edges(pipeline.steps):
        arrow = f'-->|"{"<br/>".join(_mermaid(line) for line in wrapped(edge.label))}"|' if edge.label else "-.->"
        lines.append(f"    {ids[edge.source]} {arrow} {ids[edge.target]}")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Text between Mermaid's quotes: whatever it could read as syntax or HTML becomes an entity."""
    return "".join(char if char.isalnum() or char in " _-.,:" else f"#{ord(char)};" for char in text)


def to_dot(pipeline: Pipeline) -> str:
    """A graph in Graphviz's language; an arrow that only gives the order is dashed."""
    lines = [
        f"digraph {_dot(pipeline.name)} {{",
        f"    label={_dot(pipeline.name)}; labelloc=t;",
        "    node [shape=box];",
    ]
    lines += [f"    {_dot(step.name)};" for step in pipeline.steps]
    for edge in edges(pipeline.steps):
        look = f"label={_dot(*wrapped(edge.label))}" if edge.label else "style=dashed"
        lines.append(f"    {_dot(edge.source)} -> {_dot(edge.target)} [{look}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot(*lines: str) -> str:
    r"""A quoted string of Graphviz; lines are joined by its `\n`, the one escape that is meant."""
    return '"' + r"\n".join(line.replace("\\", r"\\").replace('"', r"\"") for line in lines) + '"'


def wrapped(label: str, width: int = 24) -> list[str]:
    """An edge's label in lines that are not wider than `width`, where its names allow it."""
    return textwrap.wrap(label, width, break_long_words=False, break_on_hyphens=False)
