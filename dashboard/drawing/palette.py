"""Every colour of the pages, for light and dark, and what each may be used for.

`tests/dashboard/test_palette.py` checks contrast, and how distinct the five states
are in normal and colour-blind vision: run it whenever you change a colour. Colour
never carries meaning alone: the front end draws a mark beside it.
"""

from __future__ import annotations

from types import MappingProxyType

# Tokens become CSS custom properties: `late_text` is `--late-text`.
LIGHT = MappingProxyType(
    {
        "page": "#fbfcfd",
        "canvas": "#f6f7f9",
        "card": "#ffffff",
        "text": "#161c24",
        "muted": "#5b6673",
        "line": "#d9dee5",
        "edge": "#9aa6b4",
        "accent": "#1d63bf",
        "done": "#0b6e5c",
        "work": "#2f7de1",
        "wait": "#b58900",
        "late_text": "#7a5c00",
        "stuck": "#be340b",
        "failed": "#6d0f4f",
    }
)
DARK = MappingProxyType(
    {
        "page": "#0b0f14",
        "canvas": "#0e1217",
        "card": "#171d25",
        "text": "#e7ecf2",
        "muted": "#98a4b3",
        "line": "#2a323d",
        "edge": "#56626f",
        "accent": "#7fb0ff",
        "done": "#2fd3a0",
        "work": "#5b95f5",
        "wait": "#f5dc3d",
        "late_text": "#f5dc3d",
        "stuck": "#f5762a",
        "failed": "#ffa6d3",
    }
)

# The token that stands for each state of a flow.
STATE_TOKENS = MappingProxyType(
    {"done": "done", "running": "work", "late": "wait", "stuck": "stuck", "failed": "failed"}
)

# Latency in five steps, from fast to slow, the same in both themes.
LATENCY = ("#a9b8c8", "#7d97b3", "#c9a227", "#d1701a", "#b3260a")
LATENCY_STEPS_MS = (150.0, 800.0, 3_000.0, 20_000.0)

# The stripe of each service, by first appearance. Colours may repeat after twelve, because
# the name beside the stripe says which service it is. A stripe never stands for a state.
SERVICES = (
    "#4477AA",
    "#228833",
    "#B8508F",
    "#0E8A8A",
    "#8C6BB1",
    "#B07C1E",
    "#5B8DB8",
    "#7A8F2A",
    "#C0504D",
    "#7070BD",
    "#3F7F6F",
    "#9D5C7E",
)

# Tokens that are also used as a faint background, and their opacity there, in percent.
TINTED = ("accent", "muted", "wait", "stuck", "failed")
TINT = 10


def latency_step(ms: float | None) -> int:
    """Return which colour of `LATENCY` a duration has, 0 to 4; 0 if unknown."""
    return 0 if ms is None else sum(ms >= bound for bound in LATENCY_STEPS_MS)


def stripes(services: list[str]) -> dict[str, str]:
    """Assign each service its stripe, by first appearance in *services*."""
    names = list(dict.fromkeys(services))
    return {name: SERVICES[place % len(SERVICES)] for place, name in enumerate(names)}


def css() -> str:
    """Return both themes as custom properties; `data-theme` on the root chooses one."""

    def block(theme: str, tokens: dict[str, str]) -> str:
        lines = "".join(f"--{name.replace('_', '-')}:{value};" for name, value in tokens.items())
        tints = "".join(
            f"--{name}-tint:color-mix(in srgb,{tokens[name]} {TINT}%,transparent);" for name in TINTED
        )
        return f'.cs[data-theme="{theme}"]{{{lines}{tints}}}\n'

    latency = {f"latency_{step}": colour for step, colour in enumerate(LATENCY)}
    return block("light", {**LIGHT, **latency}) + block("dark", {**DARK, **latency})
