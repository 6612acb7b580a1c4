"""What a store that this program keeps itself promises about damage, repair and backups."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Damage:
    """Something stored that is damaged, or was. Times are nanoseconds since the epoch; None is unknown."""

    table: str  # empty: none in particular
    part: str  # the name of the folder or file
    begins_unix_nano: int | None  # the first arrival of what was in it, or earlier
    ends_unix_nano: int | None  # the last arrival, or later
    rows: int | None  # at most so many cannot be read; 0: nothing is lost
    reason: str


@dataclass(frozen=True)
class Repaired:
    """What became, or would become, of a part that was set aside. None is unknown."""

    table: str
    part: str
    rows: int | None  # in it
    readable: int  # of them
    new: int  # of these: what the table lacks
    mended: tuple[str, ...]  # files in which a flipped bit can be undone
    error: str  # why the rest cannot be read; empty if all of it can be
    removed: bool = False  # it does not lie aside any more

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is lost."""
        return not self.error and (self.rows is None or self.readable >= self.rows)


@dataclass(frozen=True)
class UndoneMerge:
    """A merged part that was not whole: the parts from which it was merged are back, those that may be."""

    table: str
    part: str
    reason: str
    rows: int  # in it
    is_covered: bool  # all of them are back


@dataclass(frozen=True)
class Figures:
    """How much is stored, and where it can be saved."""

    bytes: int  # of the tables
    rows: Mapping[str, int]  # by table
    oldest_unix_nano: int | None  # the first arrival of a span


class StoreCare(Protocol):
    """Takes care of a store that this program keeps itself, while it is in use.

    Each method uses a connection of its own, so that neither writers nor readers wait for it.
    """

    def check(self, *, full: bool, stop: Callable[[], bool] = lambda: False) -> list[Damage]:
        """All damage that is known of, after looking for more.

        Unless *full*, it looks only at what lies aside. A part that turns out broken is set aside, so that
        questions about everything else can be answered. If *stop* says so, it ends early.
        """

    def undo_broken_merges(self) -> list[UndoneMerge]:
        """Undo merges that failed without a word; raise `StoreError` if that fails, to be called again."""

    def figures(self) -> Figures:
        """How much is stored."""

    def back_up(self, name: str) -> Path:
        """Make a backup called *name*, a plain name, beside the others; return its folder.

        It has what was durable when this was called. Raise `BackupError` if it cannot be made.
        """


PLAIN_NAME = "1 to 100 letters, digits, '.', '_' and '-', with a letter or a digit first"


def is_plain_name(name: str) -> bool:
    """Whether *name* may be that of a backup: it can lead nowhere else."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name))


class BackupError(Exception):
    """A backup that cannot be made or used, in one line."""
