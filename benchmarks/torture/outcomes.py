"""What did a part of the torture find?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Whether all is as it should be, and the figures, on one line."""

    well: bool
    said: str
