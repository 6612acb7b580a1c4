"""Two questions at once: a store answers several at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """What both give; what either raises, once both have ended."""
    with ThreadPoolExecutor(1, "asked beside") as pool:
        beside = pool.submit(first)
        here = second()
        return beside.result(), here
