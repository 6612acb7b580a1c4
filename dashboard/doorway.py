"""Which requests reach the pages? Those to a name of ours, of no other site, of who has signed in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import streamlit
from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from dashboard import login_page
from dashboard.client import ApiError
from dashboard.guarding import GUARD, is_loopback
from dashboard.logins import LASTS_S, LOGINS

_HEALTH = "/_stcore/health"  # for probes: it says no more than ok
_MOST_BYTES = 8_192  # of what is typed


def _inline_scripts() -> str:
    """The hashes of what Streamlit's own page has between script tags."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return " ".join(f"'sha256-{one}'" for one in hashes)


# Streamlit writes its styles into the page, and loads the script of a component from a blob.
_POLICY = (
    f"default-src 'none'; script-src 'self' blob: {_inline_scripts()}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def cookie_name() -> str:
    """The session's cookie. Browsers do not tell ports apart, and two dashboards may run on one machine."""
    return f"choreoscope_{config.get_option('server.port')}"


class Doorway:
    """Lets through whom it may, and adds the headers that protect a browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application around Streamlit's."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("content-security-policy", _POLICY)
            await send(message)

        refused = _refused(HTTPConnection(scope))
        if refused is None and await asyncio.to_thread(GUARD.wants_token):
            refused = await _asked_for_token(scope, receive)
        if refused is None:
            await self._app(scope, receive, sending)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        else:
            await refused(scope, receive, sending)


def _refused(asked: HTTPConnection) -> Response | None:
    """The answer to what another site has sent, or what is meant for another one."""
    headers = asked.headers
    if asked.scope["path"].endswith(_HEALTH):
        return None
    host = headers.get("host", "")
    if not _is_ours(host):
        said = f"Host is '{host[:80]}': expected localhost, or a name in STREAMLIT_SERVER_ALLOWED_HOSTS."
        return PlainTextResponse(said, 400)
    origins = [origin.partition("://")[2].lower() for origin in headers.getlist("origin")]
    # A browser always names the origin of a websocket.
    if any(origin != host.lower() for origin in origins) or (
        asked.scope["type"] == "websocket" and not origins
    ):
        return PlainTextResponse("Origin is another one than this dashboard's address.", 403)
    site = headers.get("sec-fetch-site", "none")
    if site not in {"none", "same-origin"} and not _opens_a_page(asked):
        return PlainTextResponse("A page of another site sent this request.", 403)
    return None


def _is_ours(host: str) -> bool:
    try:
        name = (URL(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    named = [str(one).strip().lower().rstrip(".") for one in config.get_option("server.allowedHosts") or []]
    return is_loopback(name) or any(
        one in {"*", name} or (one.startswith("*.") and name.endswith(one[1:])) for one in named
    )


def _opens_a_page(asked: HTTPConnection) -> bool:
    """Whether a browser shows the answer as a page of its own: a link of another site may lead here."""
    wanted = (asked.headers.get("sec-fetch-mode"), asked.headers.get("sec-fetch-dest"))
    return asked.scope.get("method") == "GET" and wanted == ("navigate", "document")


async def _asked_for_token(scope: Scope, receive: Receive) -> Response | None:
    """The answer to a viewer who has not signed in, or who signs in or out; None for one who has."""
    asked = HTTPConnection(scope)
    base = "/" + str(config.get_option("server.baseUrlPath") or "").strip("/")
    path = scope["path"].removeprefix(base.rstrip("/"))
    shown = asked.cookies.get(cookie_name())
    if path == _HEALTH:
        return None
    if path in {"/login", "/logout"}:
        return await (_sign_in if path == "/login" else _sign_out)(Request(scope, receive), base, shown)
    if LOGINS.token(shown) is not None:
        return None
    if not _wants_a_page(scope, asked.headers):
        return PlainTextResponse("Sign in at /login first.", 401)
    if asked.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        # Whoever follows a link of another site may have signed in: the browser holds the cookie back.
        return HTMLResponse(login_page.once_more(), headers={"cache-control": "no-store"})
    then = path + (f"?{asked.url.query}" if asked.url.query else "")
    url = URL(f"{base.rstrip('/')}/login").include_query_params(then=then)
    return RedirectResponse(str(url), 303, {"cache-control": "no-store"})


def _wants_a_page(scope: Scope, headers: Headers) -> bool:
    return scope.get("method") == "GET" and "text/html" in headers.get("accept", "")


async def _sign_in(request: Request, base: str, shown: str | None) -> Response:
    if request.method != "POST":
        return _page(login_page.sign_in(_local(request.query_params.get("then", "/"))))
    address = request.client.host if request.client else ""
    if wait := LOGINS.wait_s(address):
        said = f"Too many wrong tokens: try again in {wait} s."
        return _page(login_page.sign_in("/", said), 429, {"retry-after": str(wait)})
    typed = await _typed(request)
    then, token = _local(typed.get("then", "/")), typed.get("token", "").strip()
    try:
        known = await asyncio.to_thread(GUARD.knows, token)
    except ApiError as problem:
        return _page(login_page.sign_in(then, str(problem)), 503)
    if not known:
        LOGINS.fail(address)
        return _page(
            login_page.sign_in(then, "The collector does not know this token as one that may read."), 403
        )
    LOGINS.end(shown)
    answer = RedirectResponse(base.rstrip("/") + then, 303)
    answer.set_cookie(
        cookie_name(),
        LOGINS.begin(token),
        max_age=LASTS_S,
        path=base,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


async def _sign_out(request: Request, base: str, shown: str | None) -> Response:
    if request.method != "POST":
        return _page(login_page.sign_out())
    LOGINS.end(shown)
    answer = RedirectResponse(f"{base.rstrip('/')}/login", 303)
    answer.delete_cookie(cookie_name(), path=base)
    return answer


async def _typed(request: Request) -> QueryParams:
    """The fields of a form; none of one that is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return QueryParams()
    return QueryParams(body.decode("latin-1"))


def _local(then: str) -> str:
    """*then* if it is a path here; a browser reads two slashes of either kind as another site."""
    return then if re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", then) else "/"


def _page(html: str, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    own = {"content-security-policy": login_page.POLICY, "cache-control": "no-store", **(headers or {})}
    return HTMLResponse(html, status, own)
