"""Who may come in: by the token they show, and by the name under which they reach us."""

from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.config import is_loopback


def allowed(authorization: str | None, token: str) -> bool:
    """Whether the value of an Authorization header shows *token*. An empty token allows everybody."""
    if not token:
        return True
    scheme, _, shown = (authorization or "").partition(" ")
    # In constant time: how long this takes must not tell how much of the token was right.
    return scheme.lower() == "bearer" and compare_digest(shown.strip().encode(), token.encode())


class LoopbackNames:
    """Lets requests through that name this machine in their Host header; others get 400.

    Without it, a page from elsewhere could reach us through a name of its own that leads to this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another."""
        if scope["type"] != "http" or _names_this_machine(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        said = "The Host header names another machine: expected localhost or a loopback address."
        await JSONResponse({"error": said}, 400)(scope, receive, send)


def _names_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
