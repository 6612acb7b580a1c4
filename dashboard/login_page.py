"""What does a viewer see who has not signed in? One page that runs no script and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from dashboard.drawing import palette

_ICON = base64.b64encode((Path(__file__).parent / "static" / "icon.svg").read_bytes()).decode()


def _colours(theme: dict[str, str]) -> str:
    return ";".join(
        f"--{name}:{theme[name]}" for name in ("page", "card", "text", "muted", "line", "accent", "stuck")
    )


_STYLE = (
    f":root{{color-scheme:light dark;{_colours(dict(palette.LIGHT))};--on:#ffffff}}"
    f"@media(prefers-color-scheme:dark){{:root{{{_colours(dict(palette.DARK))};--on:#0b0f14}}}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;padding:16px;background:var(--page);"
    "color:var(--text);font:15px/1.5 Inter,system-ui,sans-serif}"
    "main{width:100%;max-width:400px;padding:28px;background:var(--card);border:1px solid var(--line);"
    "border-radius:12px}"
    "header{display:flex;align-items:center;gap:12px;margin-bottom:20px}"
    "img{width:36px;height:36px}h1{margin:0;font-size:20px;font-weight:650}"
    "label{display:block;margin-bottom:6px;font-weight:600}"
    "input,button{width:100%;min-height:44px;padding:8px 12px;border-radius:8px;font:inherit}"
    "input{border:1px solid var(--muted);background:var(--page);color:inherit}"
    "button{margin-top:14px;border:0;background:var(--accent);color:var(--on);font-weight:600;cursor:pointer}"
    ":focus-visible{outline:2px solid var(--accent);outline-offset:2px}"
    "p{margin:14px 0 0;color:var(--muted);font-size:13px;overflow-wrap:anywhere}"
    "p[role=alert]{margin:0 0 14px;color:var(--stuck);font-size:14px}code{font-size:12px}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


def sign_in(then: str, problem: str = "") -> str:
    """HTML that asks for a token, and leads to the path *then*; with a *problem*, it says that first."""
    told = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Sign in",
        f'{told}<form method="post"><input type="hidden" name="then" value="{escape(then)}">'
        '<label for="token">Token</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus'
        ' maxlength="1000" spellcheck="false"><button>Sign in</button></form>'
        "<p>The collector's token: <code>CHOREOSCOPE_TOKEN</code>, or one with the role <code>read</code> or"
        " <code>decide</code>.</p>",
    )


def sign_out() -> str:
    """HTML that asks whether to sign out."""
    return _page("Sign out", '<form method="post"><button>Sign out</button></form>')


def once_more() -> str:
    """HTML that opens the same address again: the browser shows its cookie only to a page of ours."""
    return (
        '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0">'
        "<title>Choreoscope</title>"
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:image/svg+xml;base64,{_ICON}">'
        f"<title>{title} \u00b7 Choreoscope</title><style>{_STYLE}</style></head><body><main><header>"
        f'<img alt="" src="data:image/svg+xml;base64,{_ICON}"><h1>Choreoscope</h1></header>'
        f"{body}</main></body></html>"
    )
