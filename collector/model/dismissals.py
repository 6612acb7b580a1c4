"""What did a person say about flows that had stopped?"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa

DismissalWord: TypeAlias = Literal["dismiss", "undo"]

# The newest word on each flow.
STANDING = pa.schema(
    [
        ("flow", pa.string()),  # its id
        ("until", pa.int64()),  # dismissed as long as its last span was received by then; -1: not any more
        ("at", pa.int64()),  # of the word that says so
    ]
)


@dataclass(frozen=True)
class Dismissal:
    """A person's word on some flows: they need nobody's attention, or they do after all."""

    at: int  # nanoseconds since the epoch
    word: DismissalWord
    incident: str  # what was described, in words; empty if the flows were named
    author: str
    reason: str
