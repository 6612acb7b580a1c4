"""The commands that take care of the collector's own store: check, repair, backup, restore."""

from pathlib import Path

import click

from collector.commands import caring_text, whose_store
from collector.commands.api_client import Document
from collector.commands.calling import called
from collector.commands.failure import CommandError
from collector.commands.reading import formats, show
from collector.config import Config, ConfigError
from collector.queries.store_state import BY_SERVER, damage_of
from collector.store.care import PLAIN_NAME, BackupError, Repaired, is_plain_name
from collector.store.contracts import OpenError, StoreError
from collector.store.open import repair_folder, restore_backup
from collector.upkeep.checking import folder_of

_SETTINGS = {"data", "backups", "store", "store_memory_bytes"}


@click.group("store")
def store_() -> None:
    """Check, repair, save and restore what the collector stores in its data folder (CHOREOSCOPE_DATA)."""


@store_.command()
@formats
def check(style: str) -> int:
    """Say whether everything that is stored can be read.

    The data folder is read now, and what is broken is set aside, as at a start. If it is in use, or is not
    here, the collector at CHOREOSCOPE_API is asked what its last check found. Exit code 1: something is
    damaged.
    """
    checked = whose_store.checked(_config())
    document = {
        "checked_fully_unix_nano": checked.at,
        "folder": checked.folder,
        "collector": checked.collector,
        "damages": [_fields(damage_of(one)) for one in checked.damages],
    }
    show(document, style, lambda _: caring_text.check_text(checked))
    return 1 if checked.damages else 0


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
    if not whose_store.is_there(config.data):
        raise CommandError(whose_store.nothing_to_repair(config.data))
    try:
        found = repair_folder(config.data, config.store_memory_bytes, change=yes, drop=drop and yes)
    except (OpenError, StoreError) as error:
        raise CommandError(str(error)) from error
    document = {"changed": yes, "parts": [_repaired(one) for one in found]}
    show(document, style, lambda _: caring_text.repair_text(found, yes=yes, drop=drop))
    return 0 if all(one.is_whole for one in found) else 1


@store_.command()
@click.argument("name")
@formats
def backup(name: str, style: str) -> int:
    """Save what is stored as NAME, a plain name, in CHOREOSCOPE_BACKUPS, also while the collector runs.

    If the data folder is in use, or is not here, the collector at CHOREOSCOPE_API makes the backup, on its
    own machine.
    """
    config = _config()
    if not is_plain_name(name):
        msg = f"NAME is '{name[:80]}': expected {PLAIN_NAME}."
        raise CommandError(msg)
    made, by = whose_store.backed_up(config, name)
    show({"name": name, "folder": made, "collector": by}, style, caring_text.backup_text)
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
        backups = folder_of(config.backups, config.data)
        source = backups / backup
        if not source.is_dir():
            raise CommandError(
                f"There is no backup {backup} in {backups}: name the folder that"
                f" '{called('store', 'backup')}' said, or the one with all backups in CHOREOSCOPE_BACKUPS."
            )
    try:
        rows = restore_backup(source, folder, config.store_memory_bytes)
    except BackupError as error:
        raise CommandError(str(error)) from error
    document = {"backup": str(source), "folder": str(folder), "rows": dict(rows)}
    show(document, style, caring_text.restore_text)
    return 0


def _config() -> Config:
    try:
        config = Config.from_env(only=_SETTINGS)
    except ConfigError as error:
        raise CommandError(str(error)) from error
    if config.store:
        raise CommandError(BY_SERVER)
    return config


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
