"""Who can read what is stored: this command, in the data folder, or only a collector?

A collector has its folder for itself. And whoever runs the demo, or a container, has no data folder where
the command is called, but a collector. So the collector at CHOREOSCOPE_API is asked in both cases.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from collector.commands.api_address import address
from collector.commands.api_client import Document, ask, tell
from collector.commands.failure import CommandError, NoAnswerError
from collector.config import Config
from collector.queries.store_state import BY_SERVER
from collector.store.care import BackupError, Damage
from collector.store.contracts import FolderInUseError, OpenError, OpenStore, StoreError
from collector.store.open import open_store
from collector.upkeep.checking import folder_of

_PAUSE_S = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """What a check found, in a folder or by the collector at an address; *at* None: not to the end yet."""

    damages: list[Damage]
    at: int | None
    folder: str | None = None
    collector: str | None = None


def is_there(folder: Path) -> bool:
    """Whether *folder* can be a data folder: one that a collector would make is not there yet."""
    return folder.is_dir() and any(folder.iterdir())


def nothing_to_repair(folder: Path) -> str:
    """Why nothing is repaired, and what to do: there is no *folder*."""
    try:
        kind = ask("/store")["kind"]
    except CommandError:
        return f"There is no data folder {folder}: CHOREOSCOPE_DATA names another."
    if kind == "server":
        return BY_SERVER
    return (
        f"There is no data folder {folder}, but a collector runs at {address()}: stop it, and name its folder"
        " in CHOREOSCOPE_DATA (it said 'data in ...' when it started)."
    )


def checked(config: Config) -> Checked:
    """Whether everything that is stored can be read; raise `CommandError` if nobody can say."""
    opened = _opened(config)
    if opened is None:
        return _of_collector(config.data, _checked_by_collector)
    assert opened.care is not None
    try:
        return Checked(opened.care.check(full=True), time.time_ns(), folder=str(config.data))
    except StoreError as error:
        raise CommandError(str(error)) from error
    finally:
        opened.close()


def backed_up(config: Config, name: str) -> tuple[str, str | None]:
    """Make the backup *name*; its folder and, if a collector made it, the collector's address."""
    opened = _opened(config)
    if opened is None:
        return _of_collector(config.data, lambda: _asked_for(name)), address()
    assert opened.care is not None
    try:
        return str(opened.care.back_up(name).absolute()), None
    except (BackupError, StoreError) as error:
        raise CommandError(str(error), code=1) from error
    finally:
        opened.close()


def _of_collector(folder: Path, asked: Callable[[], T]) -> T:
    """What the collector answers that is *asked* because *folder* is not ours to read."""
    try:
        return asked()
    except NoAnswerError as error:
        if is_there(folder):
            why = f"The data folder {folder} is in use, and its collector cannot be asked."
        else:
            why = (
                f"There is no data folder {folder} (CHOREOSCOPE_DATA names another), nor a collector to ask."
            )
        raise CommandError(f"{why} {error}") from error


def _checked_by_collector() -> Checked:
    document = ask("/store")
    if document["kind"] == "server":
        raise CommandError(BY_SERVER)
    damages = [Damage(**one) for one in document["damages"]]
    return Checked(damages, document["checked_fully_unix_nano"], collector=address())


def _opened(config: Config) -> OpenStore | None:
    """The store in the data folder; None if that is a collector's to read: it is in use, or not here."""
    if not is_there(config.data):
        return None
    backups = folder_of(config.backups, config.data)
    try:
        return open_store(config.data, config.store_memory_bytes, backups=backups)
    except FolderInUseError:
        return None
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
