"""Formats what the care of a store found, or did, as text for a terminal."""

import time

from collector.commands.api_client import Document
from collector.commands.calling import called
from collector.commands.terminal import clean, harmless
from collector.commands.whose_store import Checked
from collector.store.care import Repaired
from collector.upkeep.checking import damage_line


def check_text(checked: Checked) -> str:
    """Whether everything can be read, and who says so."""
    mine = checked.collector is None
    where = harmless(
        f"in the folder {checked.folder}" if mine else f"by the collector at {checked.collector}"
    )
    if checked.at is None and not checked.damages:
        return harmless(
            f"The collector at {checked.collector} has just started, and has not read everything yet: ask"
            " again later."
        )
    at = "not to the end yet" if checked.at is None else f"checked {_moment(checked.at)}"
    if not checked.damages:
        return f"Everything that is stored {where} can be read ({at})."
    lines = [
        f"Damage was found {where} ({at}):",
        *(f"  {clean(damage_line(one))}" for one in checked.damages),
    ]
    return "\n".join([*lines, f"What can be done: {called('store', 'repair')}, with the collector stopped."])


def repair_text(found: list[Repaired], *, yes: bool, drop: bool) -> str:
    """What can be brought back or, if *yes*, was."""
    if not found:
        return "Nothing is set aside: there is nothing to repair."
    lines = [clean(_repair_line(one, yes=yes, drop=drop)) for one in found]
    return "\n".join(
        lines if yes else [*lines, f"Nothing was changed. To do it: {called('store', 'repair', '--yes')}"]
    )


def _repair_line(one: Repaired, *, yes: bool, drop: bool) -> str:
    of = "an unknown number of" if one.rows is None else f"{one.rows:,}"
    bits = f", after undoing a flipped bit in {', '.join(one.mended)}" if one.mended else ""
    verb = "were" if yes else "can be"
    said = f"{one.readable:,} of {of} rows {verb} read{bits}; {one.new:,} {verb} brought back."
    line = f"{one.table}/{one.part}: {said}"
    if one.error:
        kept = "It is removed." if one.removed else "The rest stays where it is; --drop removes it."
        return f"{line} {one.error.rstrip('.')}. {kept}"
    return line


def backup_text(document: Document) -> str:
    """Where the backup is, and who made it."""
    by = f" by the collector at {document['collector']}" if document["collector"] else ""
    return harmless(f"Saved in {document['folder']}{by}.")


def restore_text(document: Document) -> str:
    """What was restored."""
    rows = ", ".join(f"{count:,} {name}" for name, count in sorted(document["rows"].items()))
    return harmless(f"Restored {document['backup']} into {document['folder']}: {rows}.")


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1e9))
