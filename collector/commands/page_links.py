"""Where in the dashboard is what a command has answered?"""

import os
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from collector.commands.api_address import address
from collector.config import is_loopback

DASHBOARD = "CHOREOSCOPE_DASHBOARD"
_DEFAULT = "http://127.0.0.1:8501"


def page_of(name: str, query: Mapping[str, str | None] | None = None) -> list[str]:
    """The line with the address of the page *name*; none if nobody said where the dashboard is.

    On the machine of the collector it is where it is by default.
    """
    base = os.environ.get(DASHBOARD, "").strip().rstrip("/")
    if not base and is_loopback(urlsplit(address()).hostname or ""):
        base = _DEFAULT
    said = urlencode({key: value for key, value in (query or {}).items() if value})
    return [f"{base}/{name}{f'?{said}' if said else ''}"] if base else []
