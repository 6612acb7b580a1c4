"""Who may connect? It depends on the token that is sent, and on the host name by which we are reached."""

from collections.abc import Container
from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.config import is_loopback


def allowed(authorization: str | None, token: str) -> bool:
    """Whether the value of an Authorization header presents *token*. An empty token allows everybody."""
    if not token:
        return True
    scheme, _, shown = (authorization or "").partition(" ")
    # In constant time, so that the time taken does not reveal how much of the token was right.
    return scheme.lower() == "bearer" and compare_digest(shown.strip().encode(), token.encode())


class TokenNeeded:
    """Lets requests through that show *token*, or ask for one of the *open_paths*; others get 401."""

    def __init__(self, app: ASGIApp, token: str, open_paths: Container[str]) -> None:
        self._app, self._token, self._open_paths = app, token, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application around another one."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            shown = Headers(scope=scope).get("authorization")
            if not allowed(shown, self._token):
                said = "Authorization is missing or wrong: expected 'Bearer' and the collector's token."
                refused = JSONResponse({"error": said}, 401, headers={"WWW-Authenticate": "Bearer"})
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class LoopbackNames:
    """Lets requests through whose Host header names this machine; others get 400.

    Otherwise a foreign web page could reach us through a host name of its own that resolves to this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another one."""
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
