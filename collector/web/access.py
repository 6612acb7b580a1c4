"""Who may ask? It depends on the token that is sent, and on the host name by which we are reached."""

from collections.abc import Callable, Container, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.config import Config, is_loopback, variable
from collector.web.tokens import Access, AccessError, Role

_HEADERS = {
    "cache-control": "no-store",  # answers hold business data, and are old after a second
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",  # the one page, /docs, is text with a style of its own
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class RoleNeeded:
    """Lets requests through whose token has the role that *needed* says; others get 401 or 403.

    Who asks is then in `request.state.caller`. The *open_paths* need no token, and have no caller.
    """

    def __init__(
        self, app: ASGIApp, access: Access, open_paths: Container[str], needed: Callable[[str, str], Role]
    ) -> None:
        self._app, self._access, self._open_paths, self._needed = app, access, open_paths, needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application around another one."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            shown = Headers(scope=scope).get("authorization")
            try:
                caller = self._access.admit(shown, self._needed(scope["method"], scope["path"]))
            except AccessError as error:
                headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
                await JSONResponse({"error": str(error)}, error.status, headers)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


class HostNames:
    """Lets requests through whose Host header names us; others get 400.

    Otherwise a foreign web page could reach us through a host name of its own that resolves to this machine.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower().strip("[]") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another one."""
        if scope["type"] != "http" or self._is_ours(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        said = (
            "The Host header names another machine: expected localhost, a loopback address,"
            f" or a name in {variable('hosts')}."
        )
        await JSONResponse({"error": said}, 400)(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._names


def names_matter(config: Config) -> bool:
    """Whether the Host header is checked: on loopback, where no secret may be needed, or if names are set.

    Elsewhere the token stands for it, which no browser adds by itself; and a client certificate is shown to
    nobody whose name is not in ours.
    """
    return bool(config.hosts) or is_loopback(config.bind)


class ProtectiveHeaders:
    """Tells browsers to run nothing in our answers, to show them in no frame, and not to keep them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another one."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
