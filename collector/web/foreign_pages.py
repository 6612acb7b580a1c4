"""May a request change something? Not if a web page of another site made a browser send it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers


class ForeignPageError(Exception):
    """A request that a page of another site may have sent, or that does not show that none did."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.status = status


def require_own(headers: Headers) -> None:
    """Raise `ForeignPageError` unless a program, or a page of ours, sent the request with *headers*.

    A page of another site can send a form or plain text without asking, but no JSON; and a browser says
    where a request comes from.
    """
    kind = headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise ForeignPageError(f"Content-Type is '{kind[:80]}': expected application/json.", 415)
    site = headers.get("sec-fetch-site", "none").strip().lower()
    if site not in ("none", "same-origin"):
        raise ForeignPageError(
            f"Sec-Fetch-Site is '{site[:80]}': expected a request that no other site sent."
        )
    for origin in headers.getlist("origin"):
        if not _is_ours(origin, headers.get("host", "")):
            raise ForeignPageError(f"Origin is '{origin[:80]}': expected none, or the address of this API.")


def _is_ours(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.strip())
        # Whether it is http or https, only a proxy in front of us knows.
        return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()
    except ValueError:
        return False
