"""Places boxes in layers, top to bottom: every edge goes down, crosses few others, and has room for its label.

The classic way: a box has a rank; an edge passes each rank between its ends through a place of its own, one of them as
wide as its label; places are ordered within their rank by where their neighbours stand, then moved to stand under each
other as far as the neighbours in the row allow. Nothing here knows of pipelines.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GAP = 24.0
ROW_GAP = 22.0
SWEEPS = 12

Key = Any  # whatever can be the key of a dictionary
Links = Mapping[Key, Sequence[Key]]
Rows = list[list[Key]]


@dataclass(frozen=True, slots=True)
class Size:
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `x` is its middle, `y` its upper edge."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where boxes and labels stand (by the keys they were given), and through what each edge passes on its way down."""

    boxes: Mapping[Key, Place]
    routes: Sequence[tuple[Place, ...]]
    width: float
    height: float


def layout(boxes: Mapping[Key, Size], ranks: Mapping[Key, int], edges: Sequence[tuple[Key, Key, Size]]) -> Layout:
    """Place the boxes; `edges` are (upper box, lower box, size of the label), a route is returned for each.

    The last place of a route before the lower box has the label's size. An edge that does not go down gets no route.
    """
    sizes: dict[Key, Size] = dict(boxes)
    rows: Rows = [[] for _ in range(2 * max(ranks.values(), default=0) + 1)]
    for key in boxes:
        rows[2 * ranks[key]].append(key)
    chains = [_chain(number, edge, ranks, rows, sizes) for number, edge in enumerate(edges)]
    above, below = _links(chains)
    rows = _ordered(rows, above, below)
    places = _placed(rows, _aligned(rows, sizes, above, below), sizes)
    width = max((place.x + place.width / 2 for place in places.values()), default=0.0)
    height = max((place.y + place.height for place in places.values()), default=0.0)
    return Layout(
        {key: places[key] for key in boxes}, [tuple(places[key] for key in chain) for chain in chains], width, height
    )


def _chain(
    number: int, edge: tuple[Key, Key, Size], ranks: Mapping[Key, int], rows: Rows, sizes: dict[Key, Size]
) -> list[Key]:
    """The keys that edge passes, its ends included; new ones are put into the rows between them."""
    upper, lower, label = edge
    between = range(2 * ranks[upper] + 1, 2 * ranks[lower])
    if not between:
        return []
    keys: list[Key] = []
    for row in between:
        key = ("edge", number, row)
        sizes[key] = label if row == between[-1] else Size(2.0, 0.0)
        rows[row].append(key)
        keys.append(key)
    return [upper, *keys, lower]


def _links(chains: Iterable[Sequence[Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    """For each key those it is linked to in the row above, and in the row below."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    return above, below


def _ordered(rows: Rows, above: Links, below: Links) -> Rows:
    """The rows with the fewest crossings that sweeping down and up by the neighbours' middle has met."""
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        links, order = (above, range(1, len(rows))) if down else (below, range(len(rows) - 2, -1, -1))
        rows = [list(row) for row in rows]
        for index in order:
            neighbours = rows[index - 1 if down else index + 1]
            _sort_by_neighbours(rows[index], {key: at for at, key in enumerate(neighbours)}, links)
        if (crossings := _crossings(rows, below)) < fewest:
            best, fewest = rows, crossings
    return best


def _sort_by_neighbours(row: list[Key], positions: Mapping[Key, int], links: Links) -> None:
    own = {key: float(at) for at, key in enumerate(row)}
    for key in row:
        linked = [positions[other] for other in links.get(key, ()) if other in positions]
        own[key] = sum(linked) / len(linked) if linked else own[key]
    row.sort(key=own.__getitem__)


def _crossings(rows: Rows, below: Links) -> int:
    total = 0
    for upper, lower in itertools.pairwise(rows):
        positions = {key: at for at, key in enumerate(lower)}
        met: list[int] = []
        for key in upper:
            for end in sorted(positions[other] for other in below.get(key, ()) if other in positions):
                total += len(met) - bisect.bisect_right(met, end)
                bisect.insort(met, end)
    return total


def _aligned(rows: Rows, sizes: Mapping[Key, Size], above: Links, below: Links) -> dict[Key, float]:
    """The middle of every key: as near to the middle of its neighbours as those beside it leave room."""
    x: dict[Key, float] = {}
    for row in rows:
        x |= dict(zip(row, _offsets(row, sizes), strict=True))
    for sweep in range(SWEEPS):
        links = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes = [_mean([x[other] for other in links.get(key, ())], x[key]) for key in row]
            x |= dict(zip(row, _apart(wishes, _offsets(row, sizes)), strict=True))
    left = min((x[key] - sizes[key].width / 2 for key in x), default=0.0)
    return {key: value - left for key, value in x.items()}


def _offsets(row: Sequence[Key], sizes: Mapping[Key, Size]) -> list[float]:
    """The middles of a row's keys when they are packed tightly."""
    offsets, end = [], 0.0
    for key in row:
        offsets.append(end + sizes[key].width / 2)
        end += sizes[key].width + GAP
    return offsets


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(wishes: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """Positions nearest to the wishes (least squares) that keep the order, and at least the distances of `offsets`.

    Less its offset, a position must not be smaller than the one before it: neighbours that would be are pooled.
    """
    pools: list[tuple[float, int]] = []
    for wish, offset in zip(wishes, offsets, strict=True):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    shifts = [mean for mean, count in pools for _ in range(count)]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]


def _placed(rows: Rows, x: Mapping[Key, float], sizes: Mapping[Key, Size]) -> dict[Key, Place]:
    """Rows from top to bottom, each as high as its highest, everything centred in its row."""
    places: dict[Key, Place] = {}
    top = 0.0
    for row in rows:
        height = max((sizes[key].height for key in row), default=0.0)
        for key in row:
            size = sizes[key]
            places[key] = Place(x[key], top + (height - size.height) / 2, size.width, size.height)
        top += height + ROW_GAP
    return places
