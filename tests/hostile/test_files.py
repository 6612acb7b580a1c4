"""What do the commands make of files that attack? One line, no wait, nothing of them in the terminal."""

import gzip
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from collector import commands
from tests.factories import protobuf
from tests.hostile import json_bodies, packed_bodies, protobuf_bodies
from tests.hostile.span_texts import TEXTS, attack


def said_by(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, output and complaints of `choreoscope` with *words*."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["choreoscope", *words])
        with pytest.raises(SystemExit) as ended:
            commands.main()
    said = capsys.readouterr()
    return int(str(ended.value.code)), said.out, said.err


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


BODIES = {**protobuf_bodies.CASES, **json_bodies.CASES}
PACKED = {name: pack for name, (_, coding, pack) in packed_bodies.CASES.items() if coding == "gzip"}
OTHERS: Mapping[str, bytes] = {
    "Parquet": b"PAR1" + bytes(400) + b"PAR1",
    "Arrow": b"ARROW1\x00\x00" + b"\xff" * 400,
    "a pickle": b"\x80\x04\x95\x1d"
    + bytes(7)
    + b"\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
    "zip": b"PK\x03\x04" + bytes(400),
    "SQLite": b"SQLite format 3\x00" + bytes(400),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(400),
    "YAML": b"!!python/object/apply:os.system [id]\n",
    "XML": b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    "escapes": b"\x1b[2J\x1b]0;title\x07 not a trace",
    "two million lines": b"y\n" * 2_000_000,
    "two million brackets": b"{\n" * 2_000_000,
}


@pytest.mark.parametrize("name", [*BODIES, *PACKED, *OTHERS])
def test_a_file_is_read_or_said_to_be_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    made: bytes | Callable[[], bytes] = (
        BODIES[name][1] if name in BODIES else PACKED.get(name, OTHERS.get(name, b""))
    )
    file = tmp_path / "file"
    file.write_bytes(made() if callable(made) else made)

    code, out, complaints = said_by(capsys, "stitch", str(file))

    assert code in (0, 2)
    assert is_harmless(out)
    assert is_harmless(complaints)
    assert complaints.count("\n") <= 1
    assert code == 0 or complaints.startswith("choreoscope: ")
    assert len(complaints) < 1_000


def test_hostile_names_stay_text_in_every_form(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "all.binpb.gz"
    file.write_bytes(gzip.compress(protobuf(*(attack(n, text) for n, text in enumerate(TEXTS.values())))))

    for style in ("text", "json", "mermaid", "dot"):
        code, out, complaints = said_by(capsys, "stitch", "--format", style, str(file))

        assert (code, complaints) == (0, "")
        assert "\x1b" not in out
        assert "\x07" not in out


@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "device", "gone", "endless"])
def test_what_is_no_file_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    """A pipe into which nobody writes once kept the command waiting, and /dev/zero filled the memory."""
    path = tmp_path / "it\x1b[31m"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "folder":
            path.mkdir()
        case "device":
            path = Path("/dev/null")
        case "endless":
            path.symlink_to("/dev/zero")

    for command in ("stitch", "import"):
        code, out, complaints = said_by(capsys, command, str(path))

        assert (code, out) == (2, "")
        assert complaints.startswith("choreoscope: ")
        assert complaints.count("\n") == 1
        assert is_harmless(complaints)


def test_a_file_of_more_than_memory_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as opened:
        opened.truncate(2**40)

    code, _, complaints = said_by(capsys, "stitch", str(file))

    assert code == 2
    assert "more than 2,147,483,647 bytes" in complaints
