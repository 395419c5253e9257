"""Assemble: what was read and connected -> the `Pipeline`, each step with its code, ports, packages and settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kalecompiler import handlercells, handling, internal, library, names, pieces, ports, requirements, results
from kalecompiler.dataflow import Connected, Dataflow, Link, Shared
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.facts import Site, Status
from kalecompiler.ipython import Translation
from kalecompiler.model import (
    Annotation,
    Artifact,
    Cell,
    Chart,
    Code,
    CodeKind,
    Guard,
    Location,
    Metric,
    Notebook,
    Output,
    Parameter,
    Pipeline,
    PipelineSettings,
    Role,
    Step,
    StepSettings,
)
from kalecompiler.preamble import Preamble
from kalecompiler.settings import Settings
from kalecompiler.stepgraph import task_name
from kalecompiler.steprules import FINAL_STATUS
from kalecompiler.versions import Piece

SHARED = (Role.IMPORTS, Role.FUNCTIONS, Role.HANDLER)
_SCHEMAS = {library.PANDAS: "system.Dataset", library.ESTIMATOR: "system.Model"}


@dataclass(frozen=True, slots=True)
class Part:
    """A live cell: what its tags make of it, its code as plain Python, and the tree of that."""

    annotation: Annotation
    translation: Translation
    tree: ast.Module

    def piece(self) -> Piece:
        return Piece(tuple(self.tree.body), tuple(sorted(self.translation.soft)))


@dataclass(frozen=True, slots=True)
class Reading:
    """A notebook as the analysis reads it."""

    book: Notebook
    settings: Settings
    parts: Sequence[Part]
    steps: Mapping[str, Sequence[Part]]
    parameters: tuple[Parameter, ...]
    metrics: tuple[results.Result, ...]

    @property
    def shared(self) -> list[Part]:
        """The imports cells, then the functions cells, then those of handlers: they run first, in this order."""
        return [p for role in SHARED for p in self.parts if p.annotation.role is role]

    def cells(self, role: Role) -> list[tuple[Cell, ast.Module]]:
        """The cells of a role, as Python."""
        return [(p.annotation.cell, p.tree) for p in self.parts if p.annotation.role is role]

    @property
    def parameter_names(self) -> frozenset[str]:
        """The names that parameter cells bind, those included whose default was refused, and an exit step's own."""
        bound = self.bound([p for p in self.parts if p.annotation.role is Role.PARAMETERS])
        return bound | {parameter.name for parameter in self.parameters}

    def shared_statements(self) -> list[list[ast.stmt]]:
        return [p.tree.body for p in self.shared]

    def bound(self, parts: Sequence[Part]) -> frozenset[str]:
        """The names that the text of these cells binds."""
        return names.bound_names(s for p in parts for s in p.tree.body)

    def shown_metrics(self) -> dict[str, list[results.Result]]:
        """The metrics of each step that shows any; `metricsteps` has told them their steps."""
        shown: dict[str, list[results.Result]] = {}
        for result in (r for r in self.metrics if r.expression is not None or not r.hidden):
            shown.setdefault(result.step, []).append(result)
        return {step: results.merged(found) for step, found in shown.items() if step}

    def metric_pieces(self, metrics: Sequence[results.Result]) -> list[Piece]:
        """The end of a step that shows metrics: it reads their variables."""
        return [Piece((m.statement(),)) for m in metrics]

    def locate(self, step: str, site: Site) -> Location:
        """The place in the notebook of a site in a step; metrics stand after the step's cells."""
        parts = self.steps[step]
        if site.piece < len(parts):
            return self.book.at(parts[site.piece].annotation.cell, site.line, site.column, site.end)
        metrics = self.shown_metrics().get(step, [])[site.piece - len(parts) :]
        cell = metrics[0].cell if metrics else parts[-1].annotation.cell
        if metrics and metrics[0].origin is not None:
            return metrics[0].origin
        return self.book.at(cell, site.line, site.column, site.end)


def with_tagged_metrics(reading: Reading, settings: Mapping[str, StepSettings]) -> Reading:
    """The reading with the metrics that tags and tables name."""
    if not any(s.kind == "metrics" for own in settings.values() for s in own.written):
        return reading
    known = reading.bound(reading.parts)
    found = [
        result
        for step, parts in reading.steps.items()
        for result in results.tagged(step, parts[0].annotation.cell, settings[step].written, known)
    ]
    return replace(reading, metrics=(*reading.metrics, *found))


def pipeline(
    reading: Reading, shared: Preamble, flow: Dataflow, settings: Mapping[str, StepSettings]
) -> tuple[Pipeline, list[Diagnostic]]:
    """The pipeline, and what its packages gave cause to say."""
    shown = reading.shown_metrics()
    texts = {
        (step, i): (p.translation.source, reading.book.at(p.annotation.cell))
        for step, parts in reading.steps.items()
        for i, p in enumerate(parts)
    }

    def code_of(flow: Dataflow) -> dict[str, tuple[Code, ...]]:
        return {c.name: tuple(_code(reading, c, shown.get(c.name, ()), texts)) for c in flow.steps}

    wanted = requirements.of_steps(reading, flow, code := code_of(flow))
    own, problems = handlercells.read(reading.book, reading.cells(Role.HANDLER))
    placed = handling.place(own, shared, flow, wanted)
    if own:
        flow = handling.carry(placed, shared, flow, reading.parameter_names)
        wanted = requirements.of_steps(reading, flow, code := code_of(flow))
        problems += handling.check(own, shared, reading.parameter_names)
    handlers = handling.of_steps(placed, flow, wanted)
    wiring = _Wiring({c.name: _ports(c) for c in flow.steps}, _consumers(flow))
    steps = tuple(
        replace(
            _step(reading, c, wiring, shown.get(c.name, ())),
            code=code[c.name],
            packages=wanted.packages[c.name],
            files=wanted.files[c.name],
            handlers=handlers.get(c.name, ()),
            settings=settings.get(c.name, StepSettings()),
        )
        for c in flow.steps
    )
    config = reading.settings
    whole = Pipeline(
        name=config.pipeline_name,
        notebook=reading.book.name,
        steps=tuple(_finished(step) for step in steps),
        parameters=tuple(p for p in reading.parameters if p.name != FINAL_STATUS or p.origin is not None),
        description=config.description,
        index_url=config.index_url,
        trusted_hosts=config.trusted_hosts,
        whole=_whole(config),
    )
    return whole, [*wanted.findings, *problems]


def _finished(step: Step) -> Step:
    """A step as its settings want it: without a report; an exit step without its final status as a parameter."""
    if not step.settings.report:
        step = replace(step, report_port="")
    if not step.exits:
        return step
    return replace(step, parameters=tuple(name for name in step.parameters if name != FINAL_STATUS))


def _whole(config: Settings) -> PipelineSettings:
    fields = ("display_name", "pipeline_root", "ttl", "run_timeout", "workspace")
    origins = [config.origins[name] for name in fields if name in config.origins]
    return PipelineSettings(
        display_name=config.display_name,
        root=config.pipeline_root,
        ttl=config.ttl,
        run_timeout=config.run_timeout,
        workspace=config.workspace,
        origin=origins[0] if origins else None,
    )


@dataclass(frozen=True, slots=True)
class _Wiring:
    """The ports of every step, and who reads each variable of each producer."""

    ports: Mapping[str, tuple[Mapping[tuple[str, str], str], Mapping[str, str]]]
    consumers: Mapping[tuple[str, str], Sequence[str]]

    def output(self, link: Link) -> str:
        """The port of the producer's output that a link comes from."""
        return self.ports[link.producer][1][link.variable]


def _consumers(flow: Dataflow) -> dict[tuple[str, str], list[str]]:
    """The steps that read a variable, by variable and producer."""
    consumers: dict[tuple[str, str], list[str]] = {}
    for c in flow.steps:
        for link in c.inputs:
            consumers.setdefault((link.variable, link.producer), []).append(c.name)
    return consumers


def _step(reading: Reading, c: Connected, wiring: _Wiring, metrics: Sequence[results.Result]) -> Step:
    """A step as it is wired: what it reads, writes and shows, without its code."""
    inputs, outputs = wiring.ports[c.name]
    taken = [*c.parameters, *inputs.values(), *outputs.values()]
    charts = [m for m in metrics if m.is_chart]
    scalars = [m for m in metrics if not m.is_chart and not m.hidden]
    wanted = [("metrics", "shown"), ("report", "page"), ("snapshot", "state"), *((m.name, "chart") for m in charts)]
    metrics_port, report_port, snapshot_port, *chart_ports = ports.assign(wanted, taken)
    parts = reading.steps[c.name]
    return Step(
        name=c.name,
        task=task_name(c.name),
        after=c.after,
        inputs=tuple(
            Artifact(k.variable, k.producer, inputs[k.variable, k.producer], wiring.output(k), k.early)
            for k in c.inputs
        ),
        outputs=tuple(
            _output(reading, c, v, port, wiring.consumers.get((v, c.name), ())) for v, port in outputs.items()
        ),
        parameters=tuple(p.name for p in reading.parameters if p.name in c.parameters),
        definitions=tuple(sorted({d.definition.name for d in c.carried})),
        metrics=tuple(Metric(m.name, m.name, m.kind) for m in scalars),
        metrics_port=metrics_port,
        charts=tuple(
            Chart(m.name, m.kind, port, results.SCHEMAS[m.kind], m.labels)
            for m, port in zip(charts, chart_ports, strict=True)
        ),
        report_port=report_port,
        snapshot_port=snapshot_port,
        guards=tuple(Guard(v, _changed_at(reading, c, v)) for v in c.guards),
        apart=c.apart,
        cells=tuple(p.annotation.cell.number for p in parts),
        origin=reading.book.at(parts[0].annotation.cell),
    )


def _ports(c: Connected) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """The ports of a step's inputs, by variable and producer, and of its outputs, by variable."""
    out = ports.assign([(v, "out") for v in c.outputs], c.parameters)
    keys = [(k.variable, k.producer) for k in c.inputs]
    into = ports.assign([(v, "in") for v, _ in keys], [*c.parameters, *out])
    return dict(zip(keys, into, strict=True)), dict(zip(c.outputs, out, strict=True))


def _output(reading: Reading, c: Connected, variable: str, port: str, consumers: Sequence[str]) -> Output:
    binding, change = c.summary.binds.get(variable), c.summary.changes.get(variable)
    certain = binding is not None and binding.status is Status.BOUND
    schema = _SCHEMAS.get(binding.known.type or "", "system.Artifact") if binding and certain else "system.Artifact"
    site = binding.site if binding is not None else change.site if change is not None else None
    return Output(
        variable=variable,
        port=port,
        schema=schema,
        may_be_absent=variable in c.absent,
        consumers=tuple(sorted(set(consumers))),
        origin=reading.locate(c.name, site) if site is not None else None,
    )


def _changed_at(reading: Reading, c: Connected, variable: str) -> Location | None:
    """Where a step may change a variable; None for a definition that it only uses."""
    change = c.summary.changes.get(variable)
    return reading.locate(c.name, change.site) if change is not None else None


def _code(reading: Reading, c: Connected, metrics: Sequence[results.Result], texts: pieces.Texts) -> Iterator[Code]:
    """All code of a step, in the order in which it runs."""
    book = reading.book
    yield from _shared_code(reading, c.shared)
    yield from pieces.carried_code(book.name, c.carried, texts)
    for variable in dict.fromkeys(k.variable for k in c.inputs if internal.is_internal(k.variable)):
        if internal.restore(variable):
            yield Code(f"{book.name} {variable}", CodeKind.CELL, internal.restore(variable))
    for number, part in enumerate(reading.steps[c.name], 1):
        cell = part.annotation.cell
        name, kept = f"{book.name} {c.name}[{number}]", tuple(k[1:] for k in c.kept if k[0] == number - 1)
        yield Code(name, CodeKind.CELL, part.translation.source, cell.id, book.at(cell, 1), kept)
    computed: dict[str, int] = {}
    for metric in (m for m in metrics if m.expression is not None):
        text, where = ast.unparse(metric.node), book.at(metric.cell, metric.node.lineno)
        computed[metric.name] = computed.get(metric.name, 0) + 1
        title = metric.name + (f"#{computed[metric.name]}" if computed[metric.name] > 1 else "")
        yield Code(f"{book.name} pipeline-metrics.{title}", CodeKind.METRIC, text, None, where)
    for variable in filter(internal.is_internal, c.outputs):
        if internal.keep(variable):
            yield Code(f"{book.name} {variable}", CodeKind.METRICS, internal.keep(variable))


def _shared_code(reading: Reading, shared: Sequence[Shared]) -> Iterator[Code]:
    """The statements that a step takes from the imports and functions cells: imports together, others one by one."""
    used: dict[str, int] = {}
    lines: list[str] = []
    first: Location | None = None
    for item, then in ((s.item, s.then) for s in shared):
        part = reading.shared[item.piece]
        text = pieces.statement_text(part.translation.source, item.statement)
        where = pieces.at_line(reading.book.at(part.annotation.cell), item.statement.lineno, part.translation.source)
        if part.annotation.role is Role.IMPORTS:
            lines += [text, *then]
            first = first or where
            continue
        if lines:
            yield Code(f"{reading.book.name} imports", CodeKind.IMPORTS, "\n".join(lines), None, first)
            lines = []
        bound = sorted(item.summary.binds)
        name = f"{reading.book.name} functions" + (f".{bound[0]}" if bound else "")
        used[name] = used.get(name, 0) + 1
        name += f"#{used[name]}" if used[name] > 1 else ""
        yield Code(name, CodeKind.FUNCTIONS, text, None, where)
        if then:
            yield Code(f"{name} after", CodeKind.FUNCTIONS, "\n".join(then), None, where)
    if lines:
        yield Code(f"{reading.book.name} imports", CodeKind.IMPORTS, "\n".join(lines), None, first)
