"""Everybody can tell apart the colours that mean something, in both themes."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from dashboard.drawing import palette
from dashboard.drawing.component import assembled
from tests.dashboard.colours import SIGHT, ciede2000, contrast, seen

DASHBOARD = Path(palette.__file__).parents[1]
THEMES = {"light": palette.LIGHT, "dark": palette.DARK}


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_itself_is_right(
    first: tuple[float, float, float], second: tuple[float, float, float], difference: float
) -> None:
    """Pairs published with the formula: with a wrong measure any palette would pass."""
    assert ciede2000(first, second) == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", THEMES)
def test_any_two_states_differ_for_every_eye(theme: str, sight: str) -> None:
    """One man in twelve cannot tell red from green: no state may depend on that."""
    colours = {state: THEMES[theme][token] for state, token in palette.STATE_TOKENS.items()}

    close = {
        pair: round(difference, 1)
        for pair in combinations(colours, 2)
        if (difference := ciede2000(*(seen(colours[state], sight) for state in pair))) < 13
    }

    assert close == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["page", "canvas", "card"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "done", "late_text", "stuck", "failed"])
def test_text_can_be_read(theme: str, ground: str, text: str) -> None:
    """Small text needs 4.5:1."""
    tokens = THEMES[theme]

    assert contrast(tokens[text], tokens[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["canvas", "card"])
@pytest.mark.parametrize("fill", ["done", "work", "stuck", "failed"])
def test_fills_stand_out(theme: str, ground: str, fill: str) -> None:
    """A shape needs 3:1."""
    tokens = THEMES[theme]

    assert contrast(tokens[fill], tokens[ground]) >= 3.0


@pytest.mark.parametrize("theme", THEMES)
def test_waiting_stands_out_as_hatching(theme: str) -> None:
    """Yellow is weak on a light background. Hatching helps, and needs this much."""
    tokens = THEMES[theme]

    assert contrast(tokens["wait"], tokens["card"]) >= 3.0
    assert contrast(tokens["wait"], tokens["work"]) >= 1.2


@pytest.mark.parametrize("colour", palette.SERVICES)
@pytest.mark.parametrize("theme", THEMES)
def test_stripes_of_services_can_be_seen(theme: str, colour: str) -> None:
    assert contrast(colour, THEMES[theme]["card"]) >= 3.4


def test_services_keep_their_stripe_when_others_appear() -> None:
    """A service that changed its colour would look like another one."""
    before = palette.stripes(["order", "payment"])
    after = palette.stripes(["order", "payment", "order", "fraud"])

    assert after["order"] == before["order"]
    assert after["payment"] == before["payment"]
    assert len(set(after.values())) == 3


def test_stripes_repeat_beyond_twelve() -> None:
    names = [f"service-{number}" for number in range(25)]

    assert set(palette.stripes(names).values()) == set(palette.SERVICES)


@pytest.mark.parametrize(
    ("ms", "step"),
    [
        (None, 0),
        (0.0, 0),
        (149.9, 0),
        (150.0, 1),
        (799.0, 1),
        (800.0, 2),
        (2_999.0, 2),
        (19_999.0, 3),
        (20_000.0, 4),
    ],
)
def test_latency_has_five_steps(ms: float | None, step: int) -> None:
    assert palette.latency_step(ms) == step


def test_streamlit_uses_the_same_colours() -> None:
    """Two lists of colours drift apart unless something compares them."""
    theme = tomllib.loads((DASHBOARD / ".streamlit" / "config.toml").read_text())["theme"]

    for name, tokens in THEMES.items():
        assert theme[name]["primaryColor"] == tokens["accent"]
        assert theme[name]["backgroundColor"] == tokens["page"]
        assert theme[name]["textColor"] == tokens["text"]
        assert theme[name]["borderColor"] == tokens["line"]


def test_the_style_sheet_names_no_colour_of_its_own() -> None:
    """The tests here check only colours that are in the palette."""
    sheet = "".join(sent.sheet for sent in assembled().values())

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(", sheet) == []
    used = set(re.findall(r"var\(--([a-z0-9-]+)", sheet))
    given = set(re.findall(r"--([a-z0-9-]+):", palette.css())) | set(re.findall(r"--([a-z0-9-]+):", sheet))
    assert used <= given
