"""Which attributes may nobody see? Rules name them; what they hide is replaced before it leaves.

Everything is stored whole, and stitched by what is stored: a rule can be taken back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

HIDDEN = "hidden by rule"
# What is no attribute and yet text of a sender's, by the names under which rules reach it.
STATUS_MESSAGE, TRACE_STATE = "status.message", "trace_state"

_LONGEST = 1_024  # characters of a name: of a longer one, the end may have been cut off


@dataclass(frozen=True)
class Hiding:
    """Patterns of names: * stands for any characters, ? for one; large and small letters are alike."""

    patterns: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.patterns)

    def hides(self, *path: str) -> bool:
        """Whether a rule matches the last name of *path*, alone or with those before it, joined by dots.

        The path is an attribute's name, and then the keys that lead to a value inside of it.
        """
        return any(_matches(self.patterns, ".".join(path[start:])) for start in range(len(path) - 1, -1, -1))

    def of(self, names: Iterable[str]) -> list[str]:
        """Those of *names* that are hidden, each once."""
        return [name for name in dict.fromkeys(names) if self.hides(name)]

    @property
    def literals(self) -> list[str]:
        """A part of each pattern that stands in each name that it matches; "" where anything may.

        Case is ignored for octets as well, in which only ASCII has any.
        """
        parts = (re.split(r"[*?.]", pattern) if pattern.isascii() else [""] for pattern in self.patterns)
        return [max(some, key=len) for some in parts]


NOTHING_HIDDEN = Hiding()


@lru_cache(4_096)
def _matches(patterns: tuple[str, ...], name: str) -> bool:
    if not patterns:
        return False
    return len(name) > _LONGEST or _compiled(patterns).match(name.casefold()) is not None


@lru_cache(16)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    # What `translate` makes takes time in proportion to the name, however many stars there are.
    return re.compile("|".join(translate(pattern.casefold()) for pattern in patterns))
