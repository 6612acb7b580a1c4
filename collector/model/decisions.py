"""What did a person say about what is expected?"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Word: TypeAlias = Literal["forget", "keep"]


@dataclass(frozen=True)
class Decision:
    """A person's word on all that is expected of *service* after *event_type*. The newest one counts.

    After *forget* nothing is expected there, whatever is learned. After *keep* the reaction is expected of
    every message, however few of them it took of late.
    """

    at: int  # nanoseconds since the epoch
    word: Word
    event_type: str
    service: str
    author: str
    reason: str
