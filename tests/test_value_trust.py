"""Nothing of a file is unpickled that is not, byte for byte, what its step wrote: 500 trials, and hostile files."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import re
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, output, run, step, take

from kalecompiler.runtime import bundle, values

TRIALS = 500
SEED = 4


class Canary:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


class Watch:
    """Counts what is unpickled by the runtime, and the names that a pickle looks up."""

    def __init__(self) -> None:
        self.loads = 0
        self.names: list[str] = []
        self.on = True

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event == "pickle.find_class":
            self.names.append(".".join(map(str, arguments[:2])))

    @property
    def nothing(self) -> bool:
        return self.loads == 0 and self.names == []


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A watch over all unpicklers of the runtime."""
    found = Watch()
    sys.addaudithook(found.audit)
    ours = [kind for kind in pickle.Unpickler.__subclasses__() if kind.__module__.startswith("kalecompiler.")]
    assert ours
    for kind in ours:

        def load(self: Any, plain: Any = kind.load) -> Any:
            found.loads += 1
            return plain(self)

        monkeypatch.setattr(kind, "load", load)
    yield found
    found.on = False


def artifacts(folder: Path) -> dict[str, str]:
    """Files of five variables in `folder`, with their digests: small and large, two of one length, an absent one."""
    large = {"big": bytearray(b"ab" * (700 << 10)), "fixed": bytes(range(256)) * 6000, "text": "x" * 1000}
    made = {
        "large": large,
        "numbers": list(range(2000)),
        "others": [*range(1999), 1998],
        "small": {"a": hashlib.sha256},
        "none": values.ABSENT,
    }
    return {name: values.save(str(folder / name), value, name)["digest"] for name, value in made.items()}


def refused(path: Path, digest: str, name: str) -> str:
    """The message of the refusal, which names the variable, the file, its maker and the cure."""
    with pytest.raises(values.ValueProblem) as caught:
        values.load(str(path), digest, name, "maker_of_it")
    message = str(caught.value)
    first, cure = message.split("\n  help: ")
    assert first.startswith(f"cannot read {name!r} from {path}: "), message
    assert "step maker_of_it" in message or "newer" in message
    assert cure
    return message


def flip(data: bytearray, chance: random.Random) -> str:
    place, bit = chance.randrange(len(data)), chance.randrange(8)
    data[place] ^= 1 << bit
    return f"bit {bit} of byte {place}"


def cut(data: bytearray, chance: random.Random) -> str:
    length = chance.randrange(len(data))
    del data[length:]
    return f"cut to {length} bytes"


def grow(data: bytearray, chance: random.Random) -> str:
    more = chance.choice([b"\0", b"\0" * 64, chance.randbytes(chance.randrange(1, 5000)), bytes(data)])
    data += more
    return f"{len(more)} bytes more"


def test_five_hundred_changed_files_are_refused_before_unpickling(tmp_path: Path, watch: Watch) -> None:
    digests = artifacts(tmp_path)
    assert "absent" not in repr(values.load(str(tmp_path / "numbers"), digests["numbers"]))
    assert watch.loads == 1
    values.load(str(tmp_path / "small"), digests["small"])
    assert watch.names != []
    watch.loads, watch.names = 0, []
    contents = {name: (tmp_path / name).read_bytes() for name in digests}
    chance, done = random.Random(SEED), 0
    for number in range(TRIALS):
        # The large file has most of the bytes; the others have more of what is not data.
        name = chance.choice(sorted(digests))
        data = bytearray(contents[name])
        if number % 5 == 4:
            other = chance.choice([item for item in sorted(digests) if item != name])
            data, what = bytearray(contents[other]), f"the file of {other}"
        else:
            what = (flip, flip, cut, grow)[number % 5](data, chance)
        (tmp_path / name).write_bytes(data)
        try:
            refused(tmp_path / name, digests[name], name)
        except BaseException:
            print(f"trial {number}: {name}, {what}")
            raise
        assert watch.nothing, (number, name, what, watch.names)
        (tmp_path / name).write_bytes(contents[name])
        done += 1
    assert done == TRIALS
    for name, digest in digests.items():
        values.load(str(tmp_path / name), digest, name)
    assert watch.loads == 4


def test_every_bit_of_the_parts_that_are_not_data_is_watched(tmp_path: Path, watch: Watch) -> None:
    digest = values.save(str(tmp_path / "v"), [1, {"a": None}], "v")["digest"]
    data = (tmp_path / "v").read_bytes()
    assert len(data) < 1500
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        (tmp_path / "v").write_bytes(changed)
        refused(tmp_path / "v", digest, "v")
    assert watch.nothing


# -- hostile files -----------------------------------------------------------------------------------------------------


def hostile_files(folder: Path, real: bytes, canary: Path) -> dict[str, bytes]:
    """What somebody who can write to the bucket may put in place of a file with that content."""
    raw = pickle.dumps(Canary(canary), protocol=5)
    values.save(str(folder / "hostile"), Canary(canary), "v")
    wrapped = (folder / "hostile").read_bytes()
    place = real.index(b"\x80\x05")
    header = wrapped.rindex(b'{"')
    return {
        "a pickle": raw,
        "a file of ours with the right digests inside": wrapped,
        "a pickle within the real file": real[:place] + raw + real[place + len(raw) :],
        "the real file and then the other": real + wrapped,
        "the other and then the real file": wrapped + real,
        "a pickle under the real header": wrapped[:header] + real[real.rindex(b'{"') :],
        "the real pickle under another header": real[: real.rindex(b'{"')] + wrapped[header:],
    }


KINDS = (
    "a pickle",
    "a file of ours with the right digests inside",
    "a pickle within the real file",
    "the real file and then the other",
    "the other and then the real file",
    "a pickle under the real header",
    "the real pickle under another header",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A step that has handed on `x`."""
    return run(tmp_path_factory.mktemp("made"), step("x = list(range(2000))", name="make", outputs=[output("x")]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_does_not_run_in_the_step_that_takes_it(tmp_path: Path, made: Done, kind: str) -> None:
    place, canary = made.folder / "artifacts" / "x", tmp_path / "canary"
    real = place.read_bytes()
    files = hostile_files(tmp_path, real, canary)
    assert tuple(files) == KINDS
    try:
        place.write_bytes(files[kind])
        done = run(tmp_path, step("print(len(x))", inputs=[take("x", "make")]), {"make": made})
    finally:
        place.write_bytes(real)
    assert done.status == 1 and done.out == ""
    assert not canary.exists()
    pattern = r"kalec: step work failed: cannot read 'x' from (.+): .+\n  help: run step make again\n"
    found = re.fullmatch(pattern, done.err)
    assert found and found[1] == str(place), done.err


def test_the_canary_works(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    values.save(str(tmp_path / "v"), Canary(canary), "v")
    values.load(str(tmp_path / "v"))
    assert canary.exists()


def test_a_link_to_a_hostile_file_is_refused(tmp_path: Path, watch: Watch) -> None:
    digest = values.save(str(tmp_path / "v"), [1], "v")["digest"]
    values.save(str(tmp_path / "hostile"), Canary(tmp_path / "canary"), "v")
    (tmp_path / "v").unlink()
    (tmp_path / "v").symlink_to(tmp_path / "hostile")
    refused(tmp_path / "v", digest, "v")
    assert watch.nothing and not (tmp_path / "canary").exists()


# -- strange headers ---------------------------------------------------------------------------------------------------


def taken_apart(path: Path) -> tuple[bytes, dict[str, Any]]:
    """(what stands before the header, the header) of a file, as `bundle` tells its form."""
    data = path.read_bytes()
    length = int.from_bytes(data[-16:-8], "little")
    assert data[-8:] == bundle.MAGIC
    return data[: -16 - length], json.loads(data[-16 - length : -16])


def put_together(body: bytes, header: bytes, length: int | None = None, magic: bytes = bundle.MAGIC) -> bytes:
    return body + header + ((len(header) if length is None else length) % 2**64).to_bytes(8, "little") + magic


def a_section(**changes: Any) -> Any:
    """A change of the first section: offset, readonly, lengths, digests."""
    order = ("offset", "readonly", "lengths", "digests")

    def change(header: dict[str, Any]) -> dict[str, Any]:
        section = [changes.get(name, value) for name, value in zip(order, header["sections"][0], strict=True)]
        return {**header, "sections": [section, *header["sections"][1:]]}

    return change


def a_length(change: Any) -> Any:
    """A change of the first length of the first section."""
    return lambda header: a_section(lengths=[change(header["sections"][0][2][0]), *header["sections"][0][2][1:]])(
        header
    )


def a_key(**changes: Any) -> Any:
    return lambda header: {**header, **changes}


def without(name: str) -> Any:
    return lambda header: {key: value for key, value in header.items() if key != name}


HEADERS = {
    "a length of 2**63": a_length(lambda length: 2**63),
    "a length of 2**64 more": a_length(lambda length: length + 2**64),
    "a length of a chunk less": a_length(lambda length: length - bundle.CHUNK),
    "a length below zero": a_length(lambda length: -64),
    "a length of 1e300": a_length(lambda length: 1e300),
    "a length that is no whole number": a_length(float),
    "a length that is true": a_length(lambda length: True),
    "a length that is text": a_length(str),
    "a length that is a list": a_length(lambda length: [length]),
    "no lengths": a_section(lengths=[]),
    "lengths that are a number": a_section(lengths=64),
    "lengths that are nothing": a_section(lengths=None),
    "two lengths above and below zero": lambda h: a_section(lengths=[h["sections"][0][2][0] + 128, -128])(h),
    "what is read-only is a number": a_section(readonly=1),
    "an offset of 2**63": a_section(offset=2**63),
    "an offset below zero": a_section(offset=-1),
    "an offset within what comes before": a_section(offset=0),
    "sections on top of each other": lambda h: {**h, "sections": [h["sections"][0]] * 2},
    "a section in the header": lambda h: {**h, "sections": [*h["sections"], [2**22, False, [64], "0" * 64]]},
    "no digests": a_section(digests=""),
    "half a digest": lambda h: a_section(digests=h["sections"][0][3][:32])(h),
    "digests that are a list": a_section(digests=["0" * 64]),
    "no sections": a_key(sections=[]),
    "sections that are an object": a_key(sections={"a": 1}),
    "sections that are nothing": a_key(sections=None),
    "sections that are text": a_key(sections="abcd"),
    "no key for sections": without("sections"),
    "absent, with sections": a_key(absent=True),
    "another algorithm": a_key(hash="md5"),
    "an algorithm that is a module": a_key(hash="os"),
    "an algorithm that is a number": a_key(hash=5),
    "a newer format": a_key(format=99),
    "a format that is text": a_key(format="2"),
    "a format that is nothing": a_key(format=None),
    "no format": without("format"),
    "a list": lambda h: [h],
    "a number": lambda h: 5,
}
TEXTS = {
    "a bottomless list": b"[" * 200_000,
    "bottomless objects": b'{"format":' * 50_000,
    "no JSON": b'{"format": 2',
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "a number of a million digits": b'{"format": ' + b"9" * 1_000_000 + b"}",
    "no number": b'{"format": NaN}',
}


def strange(path: Path, digest: str | None) -> str:
    """The refusal of a strange file: quick, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(values.ValueProblem) as caught:
            values.load(str(path), digest, "v", "make")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * path.stat().st_size + (20 << 20)
    message = str(caught.value)
    assert message.startswith(f"cannot read 'v' from {path}: ") and "\n  help: " in message
    return message


def with_digests(content: bytes, tail: int) -> list[str | None]:
    """No digest, that of the whole file and that of its end: of which there is none that makes such a file right."""
    return [None, *("sha256:" + hashlib.sha256(part).hexdigest() for part in (content, content[-tail:]))]


@pytest.mark.parametrize("kind", HEADERS)
def test_a_strange_header_is_refused(tmp_path: Path, watch: Watch, kind: str) -> None:
    path = tmp_path / "v"
    values.save(str(path), {"a": list(range(50)), "b": bytearray(2 << 20)}, "v")
    body, header = taken_apart(path)
    text = json.dumps(HEADERS[kind](header)).encode()
    path.write_bytes(put_together(body, text))
    for digest in with_digests(path.read_bytes(), len(text) + 16):
        message = strange(path, digest)
        if "newer" in kind and digest != with_digests(path.read_bytes(), len(text) + 16)[1]:
            assert "newer than this kalecompiler" in message
            assert "use the kalecompiler that wrote it, or a later one" in message
    assert watch.nothing


@pytest.mark.parametrize("kind", TEXTS)
def test_a_header_that_is_none_is_refused(tmp_path: Path, watch: Watch, kind: str) -> None:
    path = tmp_path / "v"
    values.save(str(path), [1], "v")
    body, _ = taken_apart(path)
    path.write_bytes(put_together(body, TEXTS[kind]))
    for digest in with_digests(path.read_bytes(), len(TEXTS[kind]) + 16):
        strange(path, digest)
    assert watch.nothing


@pytest.mark.parametrize("length", [0, 1, -1, 2**63, 2**64 - 16, 2**40, 100_000])
def test_an_absurd_length_of_the_header_is_refused(tmp_path: Path, watch: Watch, length: int) -> None:
    path = tmp_path / "v"
    values.save(str(path), [1], "v")
    body, header = taken_apart(path)
    path.write_bytes(put_together(body, json.dumps(header).encode(), length))
    for digest in with_digests(path.read_bytes(), 16):
        strange(path, digest)
    assert watch.nothing


def test_a_newer_file_says_so(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "v"
    digest = values.save(str(path), [1], "v")["digest"]
    data = bytearray(path.read_bytes())
    data[6] += 1
    path.write_bytes(data)
    message = strange(path, digest)
    assert "newer than this kalecompiler" in message and "or a later one" in message
    assert watch.nothing


def test_names_in_a_header_import_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    """Its type, handler and packages are words, whatever stands there."""
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "v"
    digest = values.save(str(path), [1], "v")["digest"]
    body, header = taken_apart(path)
    evil = {
        "type": "evil_module.Thing",
        "handler": "evil_module",
        "packages": {"evil_module": "1"},
        "hash": "evil_module",
    }
    path.write_bytes(put_together(body, json.dumps({**header, **evil}).encode()))
    strange(path, digest)
    strange(path, None)
    assert watch.nothing and not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "digest", ["", ":", "sha256", "sha256:", "blake9:00", "os:00", "sha256:" + "0" * 63, "SHA256:00"]
)
def test_a_digest_that_is_none_is_refused(tmp_path: Path, watch: Watch, digest: str) -> None:
    values.save(str(tmp_path / "v"), [1], "v")
    refused(tmp_path / "v", digest, "v")
    assert watch.nothing


def test_a_folder_or_nothing_in_place_of_a_file_is_refused(tmp_path: Path, watch: Watch) -> None:
    digest = values.save(str(tmp_path / "v"), [1], "v")["digest"]
    (tmp_path / "v").unlink()
    assert "No such file" in refused(tmp_path / "v", digest, "v")
    (tmp_path / "v").mkdir()
    assert "directory" in refused(tmp_path / "v", digest, "v")
    shutil.rmtree(tmp_path / "v")
    (tmp_path / "v").touch()
    refused(tmp_path / "v", digest, "v")
    assert watch.nothing
