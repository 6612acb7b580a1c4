"""The commands that take care of the collector's own store: check, repair, backup, restore."""

import time
from pathlib import Path

import click

from collector.commands.api_client import Document, ask, tell
from collector.commands.calling import called
from collector.commands.failure import CommandError
from collector.commands.reading import formats, show
from collector.commands.terminal import clean, harmless
from collector.config import Config, ConfigError
from collector.queries.store_state import BY_SERVER, damage_of
from collector.store.care import PLAIN_NAME, BackupError, Damage, Repaired, is_plain_name
from collector.store.contracts import FolderInUseError, OpenError, OpenStore, StoreError
from collector.store.open import open_store, repair_folder, restore_backup
from collector.upkeep.checking import damage_line, folder_of

_SETTINGS = {"data", "backups", "store", "store_memory_bytes"}
_PAUSE_S = 0.5


@click.group("store")
def store_() -> None:
    """Check, repair, save and restore what the collector stores in its data folder (CHOREOSCOPE_DATA)."""


@store_.command()
@formats
def check(style: str) -> int:
    """Say whether everything that is stored can be read.

    A collector that runs is asked what its last check found. Otherwise everything is read now, and what is
    broken is set aside, as at a start. Exit code 1: something is damaged.
    """
    config = _config()
    try:
        damages, when = _checked(config), time.time_ns()
    except FolderInUseError:
        document = ask("/store")
        damages = [Damage(**one) for one in document["damages"]]
        when = document["checked_fully_unix_nano"]
    show(
        {"checked_fully_unix_nano": when, "damages": [_fields(damage_of(one)) for one in damages]},
        style,
        lambda found: _check_text(damages, when),
    )
    return 1 if damages else 0


@store_.command()
@click.option("--yes", is_flag=True, help="Do it. Without this, it is only said.")
@click.option("--drop", is_flag=True, help="Also remove, for good, what cannot be read.")
@formats
def repair(yes: bool, drop: bool, style: str) -> int:
    """Bring back what can still be read of what is damaged. The collector must be stopped.

    Single flipped bits are undone where a checksum proves them; of the rest, all rows that can be read are
    brought back. Exit code 1: something stays lost.
    """
    config = _config()
    _require_folder(config.data)
    try:
        found = repair_folder(config.data, config.store_memory_bytes, change=yes, drop=drop and yes)
    except (OpenError, StoreError) as error:
        raise CommandError(str(error)) from error
    document = {"changed": yes, "parts": [_repaired(one) for one in found]}
    show(document, style, lambda _: _repair_text(found, yes=yes, drop=drop))
    return 0 if all(one.is_whole for one in found) else 1


@store_.command()
@click.argument("name")
@formats
def backup(name: str, style: str) -> int:
    """Save what is stored as NAME, a plain name, in CHOREOSCOPE_BACKUPS, also while the collector runs."""
    config = _config()
    _require_folder(config.data)
    if not is_plain_name(name):
        msg = f"NAME is '{name[:80]}': expected {PLAIN_NAME}."
        raise CommandError(msg)
    try:
        opened = _opened(config)
    except FolderInUseError:
        made = _asked_for(name)
    else:
        assert opened.care is not None
        try:
            made = str(opened.care.back_up(name))
        except (BackupError, StoreError) as error:
            raise CommandError(str(error), code=1) from error
        finally:
            opened.close()
    show({"name": name, "folder": made}, style, lambda found: harmless(f"Saved in {found['folder']}."))
    return 0


@store_.command()
@click.argument("backup")
@click.option(
    "--into", type=click.Path(path_type=Path), help="A new or empty folder.  [default: CHOREOSCOPE_DATA]"
)
@formats
def restore(backup: str, into: Path | None, style: str) -> int:
    """Make a data folder of BACKUP, the name or the folder of a backup.

    Every file is compared with the backup's list, and the new folder is opened and counted.
    """
    config = _config()
    folder = into or config.data
    source = Path(backup)
    if is_plain_name(backup) and not source.is_dir():
        source = folder_of(config.backups, config.data) / backup
    try:
        rows = restore_backup(source, folder, config.store_memory_bytes)
    except BackupError as error:
        raise CommandError(str(error)) from error
    document = {"backup": str(source), "folder": str(folder), "rows": dict(rows)}
    show(document, style, _restore_text)
    return 0


def _config() -> Config:
    try:
        config = Config.from_env(only=_SETTINGS)
    except ConfigError as error:
        raise CommandError(str(error)) from error
    if config.store:
        raise CommandError(BY_SERVER)
    return config


def _require_folder(folder: Path) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        raise CommandError(f"There is no data folder {folder}: CHOREOSCOPE_DATA names another.")


def _checked(config: Config) -> list[Damage]:
    _require_folder(config.data)
    opened = _opened(config)
    assert opened.care is not None
    try:
        return opened.care.check(full=True)
    except StoreError as error:
        raise CommandError(str(error)) from error
    finally:
        opened.close()


def _opened(config: Config) -> OpenStore:
    backups = folder_of(config.backups, config.data)
    try:
        return open_store(config.data, config.store_memory_bytes, backups=backups)
    except FolderInUseError:
        raise
    except (OpenError, StoreError) as error:
        raise CommandError(str(error)) from error


def _asked_for(name: str) -> str:
    """The folder of the backup *name*, which the collector that runs makes."""
    answer: Document = tell("/store/backups", {"name": name})
    while answer["state"] == "running":
        time.sleep(_PAUSE_S)
        answer = ask("/store")["backup"] or {}
        if answer.get("name") != name:
            raise CommandError(
                f"What became of the backup {name} is not known: the collector has started anew.", 1
            )
    if answer["state"] != "done":
        raise CommandError(answer["said"], code=1)
    return str(answer["said"])


def _fields(answer: object) -> Document:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}  # type: ignore[attr-defined]


def _repaired(one: Repaired) -> Document:
    return {
        "table": one.table,
        "part": one.part,
        "rows": one.rows,
        "readable": one.readable,
        "new": one.new,
        "mended": list(one.mended),
        "error": one.error,
        "removed": one.removed,
    }


def _check_text(damages: list[Damage], when: int | None) -> str:
    if when is None:
        return "The collector has just started, and has not read everything yet: ask again later."
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when / 1e9))
    if not damages:
        return f"Everything that is stored can be read (checked {at})."
    lines = [f"Damage was found (checked {at}):", *(f"  {clean(damage_line(one))}" for one in damages)]
    return "\n".join([*lines, f"What can be done: {called('store', 'repair')}, with the collector stopped."])


def _repair_text(found: list[Repaired], *, yes: bool, drop: bool) -> str:
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


def _restore_text(document: Document) -> str:
    rows = ", ".join(f"{count:,} {name}" for name, count in sorted(document["rows"].items()))
    return harmless(f"Restored {document['backup']} into {document['folder']}: {rows}.")
