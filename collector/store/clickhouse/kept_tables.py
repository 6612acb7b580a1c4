"""A copy of the tables' definitions and of the store's settings, from which damaged ones are restored.

It is one small file in the data folder, `tables.json`, with its own checksum. It is written after each
change of the tables; while they are changed, it says so.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

NAME = "tables.json"


@dataclass(frozen=True)
class Kept:
    """What is kept. Paths are relative to the engine's folder; a link's value is what it points to."""

    version: int  # of the schema
    changing: bool = False  # the tables are being changed, or the change was interrupted
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict, repr=False)  # among them a secret


def read(folder: Path) -> Kept | None:
    """What is kept in *folder*; None if nothing is, or if it is damaged."""
    try:
        text, _, rest = (folder / NAME).read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest() != rest.decode().strip():
            return None
        return msgspec.json.decode(text, type=Kept)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError):
        return None


def write(folder: Path, kept: Kept) -> None:
    """Keep *kept* durably in *folder*, if it is not kept already; raise `OSError` if that fails."""
    if read(folder) == kept:
        return
    text = msgspec.json.encode(kept)
    replace(folder / NAME, text + b"\n" + hashlib.sha256(text).hexdigest().encode() + b"\n")


def replace(path: Path, content: bytes) -> None:
    """Make *content* the content of *path*: at any moment, and after power loss, it is the old or the new."""
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in *folder* durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
