"""What can be wrong with a collector itself, rather than with the flows that it watches?"""

from dataclasses import dataclass
from enum import StrEnum


class TroubleKind(StrEnum):
    """One kind of trouble. A collector has at most one of each kind at a time."""

    DAMAGE = "damage"  # something stored cannot be read any more
    DISK_SHORT = "disk_short"
    FOLDER_GONE = "folder_gone"  # the data folder was moved or removed while it is in use
    NOT_STORING = "not_storing"  # a span of our own could not be stored and found again
    NOT_JUDGING = "not_judging"  # the live part has stopped ticking
    TASK_DIED = "task_died"
    CLOCK_SET = "clock_set"  # the machine's clock was set, and ours comes near it only slowly
    TOKENS = "tokens"  # the file of tokens has a mistake: the last good version is in force
    CERTIFICATE = "certificate"  # the new one cannot be used, or the one in force ends soon


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with the collector now, as one or two sentences for whoever runs it."""

    kind: TroubleKind
    text: str
    since: int  # nanoseconds since the epoch
    refuses: bool = False  # while it lasts, no span is acknowledged
