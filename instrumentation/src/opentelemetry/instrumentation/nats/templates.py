"""Subjects without the parts that vary between messages: span names, and groups for metrics.

A subject may contain an id (``orders.A-17.placed``). Span names would then be as
many as orders, so each token that looks like an id becomes ``*``.
"""

import re
from functools import lru_cache
from typing import Final

# A number; letters and a number, as in A-17 or order_123; a UUID; hexadecimal, as
# in a hash; and long mixtures of letters and digits.
_ID: Final = re.compile(
    r"""
    [0-9]+
    | [A-Za-z]* [-_:#] [0-9]+
    | [0-9A-Fa-f]{8} (?: -? [0-9A-Fa-f]{4} ){3} -? [0-9A-Fa-f]{12}
    | (?=[^0-9]*[0-9]) [0-9A-Fa-f]{8,}
    | (?=[^0-9]*[0-9]) [0-9A-Za-z_-]{20,}
    """,
    re.VERBOSE,
)

_DIGIT: Final = re.compile("[0-9]")
_STORES: Final = ("$KV.", "$O.")


@lru_cache(maxsize=2048)
def template(subject: str) -> str:
    """*subject* with ``*`` for each token that looks like an id, and ``>`` for a store's keys."""
    if subject.startswith(_STORES):
        return ".".join((*subject.split(".")[:2], ">"))
    if not _DIGIT.search(subject):
        return subject
    return ".".join("*" if _ID.fullmatch(token) else token for token in subject.split("."))
