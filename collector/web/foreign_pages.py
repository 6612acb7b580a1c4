"""Did a web page of another site make a browser send a request? Such a request is not answered."""

from collections.abc import Container

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class ForeignPageError(Exception):
    """A request that a page of another site may have sent, or that does not show that none did."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.status = status


class OwnPages:
    """Lets requests through that a program, a page of ours or a person sent; others get 403.

    A link of another site may lead a person to one of the *linked* paths, where nothing is asked.
    """

    def __init__(self, app: ASGIApp, linked: Container[str]) -> None:
        self._app, self._linked = app, linked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application around another one."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                if not (scope["path"] in self._linked and _opens_a_page(scope["method"], headers)):
                    require_no_other_site(headers)
            except ForeignPageError as error:
                await JSONResponse({"error": str(error)}, error.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def require_own(headers: Headers) -> None:
    """Raise `ForeignPageError` unless a program, or a page of ours, sent the change with *headers*.

    A page of another site can send a form or plain text without asking, but no JSON; and a browser says
    where a request comes from.
    """
    kind = headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise ForeignPageError(f"Content-Type is '{kind[:80]}': expected application/json.", 415)
    require_no_other_site(headers)


def require_no_other_site(headers: Headers) -> None:
    """Raise `ForeignPageError` if a browser says that a page of another site sent the request."""
    site = headers.get("sec-fetch-site", "none").strip().lower()
    if site not in ("none", "same-origin"):
        raise ForeignPageError(
            f"Sec-Fetch-Site is '{site[:80]}': expected a request that no other site sent."
            " Type the address into the browser, or ask from a program."
        )
    for origin in headers.getlist("origin"):
        if not _is_ours(origin, headers.getlist("host")):
            raise ForeignPageError(f"Origin is '{origin[:80]}': expected none, or the address of this API.")


def _opens_a_page(method: str, headers: Headers) -> bool:
    """Whether a browser shows the answer as a page of its own, which no other page can read."""
    mode, kind = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "")
    return method == "GET" and (mode, kind) == ("navigate", "document") and "origin" not in headers


def _is_ours(origin: str, hosts: list[str]) -> bool:
    # Whether it is http or https, only a proxy in front of us knows.
    scheme, found, place = origin.strip().lower().partition("://")
    return bool(found) and scheme in ("http", "https") and [place] == [host.lower() for host in hosts]
