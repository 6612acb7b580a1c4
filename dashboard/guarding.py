"""Must a viewer of the pages sign in, and how? It depends on the settings, and on the collector's doors."""

from __future__ import annotations

import ipaddress
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from hmac import compare_digest

from streamlit import config
from streamlit.runtime.secrets import secrets_singleton

from dashboard.client import Api, ApiError, RefusedError
from dashboard.trace_links import SETTING, TraceLinkError, trace_link

TOKEN_LEAST = 16  # characters; the collector asks for as many
_ASKED_AGAIN_S = 5.0


def own_token() -> str:
    """The token that this dashboard was given; "" if none."""
    return os.environ.get("CHOREOSCOPE_TOKEN", "").strip()


@cache
def has_provider() -> bool:
    """Whether viewers sign in with an account: [auth] in Streamlit's secrets names a provider (OIDC)."""
    # st.secrets would write on the page that there is no such file.
    return secrets_singleton.load_if_toml_exists() and "auth" in secrets_singleton


def may_enter(claims: Mapping[str, object]) -> bool:
    """Whether the account with these *claims* is one of CHOREOSCOPE_USERS.

    They are e-mail addresses, `@example.com` for all of a domain, or `*` for all whom the provider lets in.
    """
    users = {user.strip().lower() for user in os.environ.get("CHOREOSCOPE_USERS", "").split(",")} - {""}
    if "*" in users:
        return True
    email = str(claims.get("email") or "").lower()
    name, at, domain = email.rpartition("@")
    return (
        bool(name and at)
        and claims.get("email_verified") is not False
        and bool({email, f"@{domain}"} & users)
    )


class Guard:
    """Who may see the pages with which token. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._api: Api | None = None
        self._closed = False  # whether the collector wants a token, as of the last time it was asked
        self._asked = float("-inf")

    def wants_token(self) -> bool:
        """Whether a viewer must type a token: if we have one to protect, or the collector wants one."""
        if has_provider():
            return False
        if own_token():
            return True
        with self._lock:
            was_asked = self._asked > float("-inf")
            if time.monotonic() - self._asked <= _ASKED_AGAIN_S:
                return self._closed
            if was_asked:
                self._asked = time.monotonic()  # others go on with what was known: it may take seconds
            else:
                self._ask()
        if was_asked:
            self._ask()
        return self._closed

    def _ask(self) -> None:
        self._closed = self._is_refused("", otherwise=self._closed)
        self._asked = time.monotonic()

    def knows(self, token: str) -> bool:
        """Whether *token* opens the pages; raise `ApiError` if nobody can say.

        It is the one that we were given, or one with which the collector answers questions. A collector that
        answers everybody says nothing about a token.
        """
        own = own_token()
        if own and compare_digest(token.encode(), own.encode()):
            return True
        if not (token and token.isascii() and token.isprintable()):  # no header can carry it
            return False
        if not self._is_refused("", otherwise=None):
            return False
        return not self._is_refused(token, otherwise=None)

    @staticmethod
    def _is_refused(token: str, *, otherwise: bool | None) -> bool:
        """Whether the collector refuses questions with *token*; *otherwise* if it does not answer."""
        try:
            api = Api(token=token)
        except ApiError:
            if otherwise is None:
                raise
            return otherwise
        try:
            api.try_access()
        except RefusedError:
            return True
        except ApiError:
            if otherwise is None:
                raise
            return otherwise
        finally:
            api.close()
        return False


def refuse_unsafe() -> None:
    """End the program, with one line, if others could see the pages without signing in, or a link is none."""
    token, address = own_token(), str(config.get_option("server.address") or "0.0.0.0")  # noqa: S104
    problem = ""
    if 0 < len(token) < TOKEN_LEAST:
        problem = (
            f"CHOREOSCOPE_TOKEN has {len(token)} characters: expected at least {TOKEN_LEAST},"
            " such as those of: openssl rand -hex 16"
        )
    elif not (token or has_provider() or is_loopback(address)):
        problem = (
            f"STREAMLIT_SERVER_ADDRESS is '{address[:80]}': an address that others reach needs"
            " CHOREOSCOPE_TOKEN, with which viewers sign in, or [auth] in .streamlit/secrets.toml."
        )
    try:
        trace_link(os.environ.get(SETTING, ""))
    except TraceLinkError as error:
        problem = problem or str(error)
    if problem:
        sys.stderr.write(f"choreoscope: {problem}\n")
        raise SystemExit(2)


def is_loopback(address: str) -> bool:
    """Whether *address* is reached from this machine alone."""
    try:
        return address.lower() == "localhost" or ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


GUARD = Guard()
