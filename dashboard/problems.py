"""Why a question to the collector, or to the demo shop, has no answer."""

from __future__ import annotations


class ApiError(Exception):
    """The question could not be answered; `str()` is one sentence to show the reader."""


class UnreachableError(ApiError):
    """Nothing answered at the address in time, whatever was asked."""


class SlowError(ApiError):
    """The collector answers, but not this question in time."""


class RefusedError(ApiError):
    """The collector does not let the token in, or not for that."""


class NotFoundError(ApiError):
    """The collector does not know what was asked for; `nearest` has names like it."""

    def __init__(self, sentence: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.nearest = nearest
