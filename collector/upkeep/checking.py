"""Is what is stored still whole? Looked at when the collector starts, and once a day from end to end."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from collector.counters import Counters
from collector.model.troubles import TroubleKind
from collector.store.care import BackupError, Damage, StoreCare
from collector.store.contracts import StoreError
from collector.upkeep.health import Troubles

EVERY_S = 86_400.0
MERGES_EVERY_S = 3.0  # several times while the parts of a merge are kept

BackupState: TypeAlias = Literal["running", "done", "failed"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backup:
    """The newest backup that somebody asked for. *said* is its folder, or why it failed."""

    name: str
    state: BackupState
    said: str = ""


@dataclass(frozen=True)
class Checked:
    """What is known of the store's state. Times are nanoseconds since the epoch; None is not yet."""

    at: int | None = None
    fully_at: int | None = None
    damages: tuple[Damage, ...] = ()
    backup: Backup | None = None


class StoreChecks:
    """Checks a store by its *care*, reports damage as a trouble, and makes backups. Used from any thread."""

    def __init__(
        self,
        care: StoreCare,
        troubles: Troubles,
        counters: Counters,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.care = care
        self._troubles, self._counters, self._stop = troubles, counters, stop
        self._lock = threading.Lock()
        self._checked = Checked()
        self._is_merging_said = False  # that a merge could not be undone

    @property
    def checked(self) -> Checked:
        """What is known now."""
        return self._checked

    def quickly(self) -> None:
        """Look at what lies aside, in milliseconds."""
        self._look(full=False)

    def once(self) -> None:
        """Read everything that is stored; a store that does not answer is asked again the next time."""
        self._look(full=True)

    def merges(self) -> None:
        """Undo merges during which a write failed."""
        try:
            undone = self.care.undo_broken_merges()
        except StoreError as error:
            if not self._is_merging_said:  # it is tried again every few seconds
                log.warning("A merge during which a write failed could not be undone yet: %s", error)
                self.quickly()  # what lies aside meanwhile cannot be read
            self._is_merging_said = True
            return
        recovered = self._is_merging_said
        self._is_merging_said = False
        for one in undone:
            self._counters.undone_merges.inc()
            became = "undone" if one.is_covered else "set aside"
            log.warning(
                "A write failed while %s/%s was merged (%s): %s", one.table, one.part, one.reason, became
            )
        if recovered or not all(one.is_covered for one in undone):
            self.quickly()

    def back_up(self, name: str) -> Backup:
        """Begin a backup called *name*; raise `BackupError` if one is being made."""
        with self._lock:
            before = self._checked.backup
            if before is not None and before.state == "running":
                raise BackupError(f"The backup {before.name} is being made: ask again when it is done.")
            begun = Backup(name, "running")
            self._checked = replace(self._checked, backup=begun)
        threading.Thread(target=self._backed_up, args=[name], name="backup", daemon=True).start()
        return begun

    def _backed_up(self, name: str) -> None:
        try:
            made = Backup(name, "done", str(self.care.back_up(name).absolute()))
            log.warning("The backup %s was made: %s", name, made.said)
        except (BackupError, StoreError) as error:
            made = Backup(name, "failed", str(error))
            log.error("%s", error)
        except BaseException:
            self._set(backup=Backup(name, "failed", "The collector's log says why."))
            raise
        self._set(backup=made)

    def _look(self, *, full: bool) -> None:
        began = time.time_ns()
        try:
            found = tuple(self.care.check(full=full, stop=self._stop))
        except StoreError as error:
            log.warning("What is stored could not be checked: %s", error)
            return
        known = {(one.table, one.part) for one in self._checked.damages}
        for one in found:
            if (one.table, one.part) not in known:
                log.warning("Damaged: %s", damage_line(one))
        whole = full and not self._stop()
        self._set(at=began, damages=found, **({"fully_at": began} if whole else {}))
        self._counters.damaged_parts.set(len(found))
        self._counters.damaged_rows.set(sum(one.rows or 0 for one in found))
        if any(one.rows != 0 for one in found):
            self._troubles.report(TroubleKind.DAMAGE, damage_text(found))
        else:
            self._troubles.over(TroubleKind.DAMAGE)

    def _set(self, **changed: object) -> None:
        with self._lock:
            self._checked = replace(self._checked, **changed)  # type: ignore[arg-type]  # its own fields


def damage_text(damages: Sequence[Damage]) -> str:
    """What is lost by *damages*, as two sentences for whoever runs the collector."""
    lost = [one for one in damages if one.rows != 0]
    spans = [one for one in lost if one.table == "spans"]
    others = sorted({one.table for one in lost} - {"spans"})
    said = [f"{_rows(spans, 'spans')}{_range(spans)}"] if spans else []
    said += [_rows([one for one in lost if one.table == name], f"rows of {name}") for name in others]
    return (
        f"What is stored is damaged: {' and '.join(said)} cannot be read; everything else can."
        " 'choreoscope store check' says more, and 'choreoscope store repair' what can be done."
    )


def damage_line(damage: Damage) -> str:
    """*damage* as one line."""
    where = f"{damage.table}/{damage.part}" if damage.table else damage.part
    lost = "nothing is lost" if damage.rows == 0 else _rows([damage], "rows") + _range([damage])
    return f"{where}: {damage.reason} ({lost})"


def _rows(damages: Sequence[Damage], what: str) -> str:
    known = sum(one.rows or 0 for one in damages)
    if any(one.rows is None for one in damages):
        return f"an unknown number of {what}" if not known else f"{known:,} {what} and an unknown number more"
    return f"at most {known:,} {what}"


def _range(damages: Sequence[Damage]) -> str:
    begins = [one.begins_unix_nano for one in damages if one.begins_unix_nano is not None]
    ends = [one.ends_unix_nano for one in damages if one.ends_unix_nano is not None]
    if not begins or not ends:
        return ""
    return f" that arrived from {_moment(min(begins))} to {_moment(max(ends))} UTC"


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def folder_of(backups: str, data: Path) -> Path:
    """Where backups are: *backups*, or a folder in *data*, the data folder."""
    return Path(backups) if backups else data / "backups"
