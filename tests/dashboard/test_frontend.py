"""What the browser gets: our code alone, small, and unable to turn data into anything but text."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from dashboard.drawing.component import FRONTEND, KINDS, Kind, assembled

STATIC = FRONTEND.parents[1] / "static"
SENT = assembled()
MODULE = "".join(sent.script for sent in SENT.values())
SHEET = "".join(sent.sheet for sent in SENT.values())


def size(*kinds: Kind) -> int:
    """Return how many bytes of script and style sheet are sent for these views."""
    return sum(len(SENT[kind].script.encode()) + len(SENT[kind].sheet.encode()) for kind in kinds)


def test_it_is_small() -> None:
    """Both are sent with every refresh: a budget keeps the pages quick."""
    assert {kind: size(kind) for kind in KINDS if size(kind) >= 60 * 1024} == {}
    # What the page of a flow sends every two seconds. It was three times 60 KB.
    assert size("head", "graph", "inspector") < 90 * 1024


MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "DOMParser"]
CODE = ["eval(", "Function(", "import(", "import "]
REQUEST = ["fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon"]


@pytest.mark.parametrize("way", MARKUP + CODE)
def test_there_is_no_way_from_text_to_markup_or_code(way: str) -> None:
    assert way not in MODULE


@pytest.mark.parametrize("way", REQUEST)
def test_it_asks_nobody(way: str) -> None:
    assert way not in MODULE


def test_addresses_are_only_names_of_standards() -> None:
    frame = (FRONTEND / "frame.css").read_text()

    found = re.findall(r"https?://[^\s'\")]+", MODULE + SHEET + frame)

    assert set(found) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("font", ["inter-latin-wght-normal", "jetbrains-mono-latin-wght-normal"])
def test_fonts_are_there_and_small(font: str) -> None:
    held = (STATIC / f"{font}.woff2").read_bytes()

    assert held.startswith(b"wOF2")
    assert len(held) < 50_000


@pytest.mark.parametrize("font", ["inter", "jetbrains-mono"])
def test_fonts_keep_their_licence(font: str) -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in (STATIC / f"{font}-OFL.txt").read_text()


def test_what_is_not_ours_is_named_with_its_hash() -> None:
    """If a third-party file changes, somebody has to review it again."""
    listed = dict(
        re.findall(r"`([\w.-]+\.woff2)`.*?`([0-9a-f]{64})`", (STATIC / "THIRD_PARTY.md").read_text())
    )

    held = {path.name: sha256(path.read_bytes()).hexdigest() for path in STATIC.glob("*.woff2")}
    assert listed == held


def test_no_view_reads_data_as_markdown() -> None:
    """Streamlit's own text calls read Markdown, emoji codes and LaTeX: data goes only through `mount`."""
    reading = re.compile(
        r"st\.(markdown|write|title|header|subheader|caption|error|warning|info|success|toast|metric|latex|badge)\("
    )
    sources = sorted(FRONTEND.parents[1].rglob("*.py"))

    assert [path.name for path in sources if reading.search(path.read_text())] == []
