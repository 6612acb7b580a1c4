"""Which store do the settings name? The embedded one, or one on a server."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from collector.store.clickhouse import opening
from collector.store.contracts import AddressError, OpenStore, Repaired

# By the scheme of an address. Another kind of store is a folder beside `clickhouse`, and a line here.
_SERVERS: Mapping[str, Callable[[str, Callable[[], int]], OpenStore]] = {
    "clickhouse": opening.on_server,
    "clickhouses": opening.on_server,
}
_EXPECTED = "clickhouse://user:password@host:8123/database (clickhouses:// for TLS)"


def open_store(
    folder: Path,
    memory_limit: int,
    address: str = "",
    clock: Callable[[], int] = time.time_ns,
    backups: Path | None = None,
) -> OpenStore:
    """The embedded store on *folder* or, with an *address*, the one on that server; *clock* tells its time.

    The embedded store has its backups in *backups*, by default in its folder. Raise `OpenError` or
    `StoreError` if it cannot be used.
    """
    if not address:
        return opening.on_folder(folder, memory_limit, clock, backups)
    try:
        return _server_of(address)(address, clock)
    except AddressError as error:
        msg = f"CHOREOSCOPE_STORE cannot be used: {error}. Expected {_EXPECTED}."
        raise AddressError(msg) from error


def restore_backup(backup: Path, folder: Path, memory_limit: int) -> Mapping[str, int]:
    """Make *folder*, new or empty, the data folder that *backup* was made of; return its rows by table.

    Raise `BackupError` if that cannot be done, or if what was restored does not open with the same rows.
    """
    return opening.restored(backup, folder, memory_limit)


def repair_folder(folder: Path, memory_limit: int, *, change: bool, drop: bool) -> list[Repaired]:
    """Say what can be brought back of what was set aside in *folder*; if *change*, do it.

    With *drop*, what cannot be read is removed as well. Raise `OpenError` if the folder cannot be used.
    """
    return opening.repaired(folder, memory_limit, change=change, drop=drop)


def _server_of(address: str) -> Callable[[str, Callable[[], int]], OpenStore]:
    scheme, found, _ = address.partition("://")
    if not found:  # what comes before a colon may be part of a password
        raise AddressError("it has no scheme")
    if scheme.lower() not in _SERVERS:
        raise AddressError(f"it begins with '{scheme[:20]}://'")
    return _SERVERS[scheme.lower()]
