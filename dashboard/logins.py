"""Who has signed in with a token? Kept in memory: a restart signs everybody out."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict, defaultdict, deque

LASTS_S = 12 * 3600  # a working day, and a bit
_MOST = 1_000  # sessions; the oldest one goes first
_WITHIN_S = 60.0
_TRIES_EACH, _TRIES_ALL = 5, 100  # wrong tokens in that time: of one address, and of all


class Logins:
    """Sessions and failed attempts. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._failed: defaultdict[str, deque[float]] = defaultdict(deque)

    def begin(self, token: str) -> str:
        """Sign in with *token*; return what the browser shows from then on."""
        shown = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_hashed(shown)] = (token, time.monotonic() + LASTS_S)
            while len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        return shown

    def token(self, shown: str | None) -> str | None:
        """The token with which the owner of *shown* signed in; None if nobody did, or too long ago."""
        with self._lock:
            # Found by its hash: how long that takes says nothing about what is kept.
            token, ends = self._sessions.get(_hashed(shown or ""), ("", 0.0))
            return token if time.monotonic() < ends else None

    def end(self, shown: str | None) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(_hashed(shown or ""), None)

    def wait_s(self, address: str) -> int:
        """How long *address* must wait before it may try again; 0 if it need not."""
        now = time.monotonic()
        with self._lock:
            for one in [*self._failed]:
                while self._failed[one] and now - self._failed[one][0] > _WITHIN_S:
                    self._failed[one].popleft()
                if not self._failed[one]:
                    del self._failed[one]
            own = self._failed.get(address, deque())
            if len(own) < _TRIES_EACH and sum(map(len, self._failed.values())) < _TRIES_ALL:
                return 0
            first = own[0] if len(own) >= _TRIES_EACH else min(tries[0] for tries in self._failed.values())
            return max(1, int(first + _WITHIN_S - now) + 1)

    def fail(self, address: str) -> None:
        """Count a wrong token of *address*."""
        with self._lock:
            self._failed[address].append(time.monotonic())


def _hashed(shown: str) -> bytes:
    return hashlib.sha256(shown.encode()).digest()


LOGINS = Logins()
