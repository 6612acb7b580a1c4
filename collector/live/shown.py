"""What was last shown of the expectations, and what was it made from?"""

from dataclasses import dataclass, field

from collector.diagnosis.declared import NOTHING_DECLARED, Declared
from collector.diagnosis.expected import Expected
from collector.diagnosis.standing import Standings


@dataclass(frozen=True)
class Shown:
    """The standings of one moment, and what they are about."""

    at: int = 0  # nanoseconds since the epoch
    expected: Expected | None = None
    said: tuple[Declared, int] = (NOTHING_DECLARED, 0)  # what is declared, and on how many steps people spoke
    standings: Standings = field(default=Standings())
