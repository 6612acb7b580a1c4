"""What a store remembers about itself: the version of its schema, and the secret of its keys."""

import secrets
import time
from collections.abc import Mapping

import pyarrow as pa

from collector.columns.keys import Secret
from collector.store.clickhouse.connections import Database

_SCHEMA, _IDS, _TEXTS = "schema_version", "key_secret_ids", "key_secret_texts"
_DROPPING = "dropping_day"


def schema_version(database: Database) -> int:
    """The version of the schema that was recorded last; 0 if none was."""
    return int(_read(database).get(_SCHEMA, "0"))


def half_dropped(database: Database) -> int | None:
    """The day, in days since 1970-01-01, whose spans are being dropped; None if no day is."""
    number = _read(database).get(_DROPPING, "")
    return int(number) if number else None


def write_half_dropped(database: Database, number: int | None) -> None:
    """Record that the spans of this day are being dropped, or (None) that no day's are."""
    _write(database, {_DROPPING: "" if number is None else str(number)})


def write_schema_version(database: Database, version: int) -> None:
    """Record that the schema has this *version*."""
    if schema_version(database) != version:
        _write(database, {_SCHEMA: str(version)})


def settings(database: Database) -> dict[str, str]:
    """Everything that the store remembers about itself, by name. The secret is part of it."""
    return _read(database)


def secret(database: Database, kept: Mapping[str, str] | None = None) -> Secret:
    """The secret of the keys in *database*, which is created on first use.

    If the table lost it, it is restored from *kept*, a copy.

    If message ids are stored already, under keys without a secret, text keys stay without one: they could not
    be recomputed.
    """
    known = _read(database)
    if (_IDS not in known or _TEXTS not in known) and kept and {_IDS, _TEXTS} <= kept.keys():
        known = {_IDS: kept[_IDS], _TEXTS: kept[_TEXTS]}
        _write(database, known)
    if _IDS not in known:
        counted = database.query("SELECT count() AS n FROM message_ids", columns=["n"])
        stored = int(counted["n"][0].as_py())
        texts = Secret().texts if stored else secrets.token_hex(8)
        known = {_IDS: str(secrets.randbits(64)), _TEXTS: texts}
        _write(database, known)
    return Secret(ids=int(known[_IDS]), texts=known[_TEXTS])


def _read(database: Database) -> dict[str, str]:
    answer = database.query("SELECT name, value FROM settings FINAL", columns=["name", "value"])
    return dict(zip(answer["name"].to_pylist(), answer["value"].to_pylist(), strict=True))


def _write(database: Database, values: dict[str, str]) -> None:
    answer = database.query("SELECT max(stored_unix_nano) AS newest FROM settings", columns=["newest"])
    newest = answer["newest"][0].as_py()
    # Later than every row so far, even if the clock was set back.
    stored = max(time.time_ns(), int(newest or 0) + 1)
    rows = {
        "name": list(values),
        "value": list(values.values()),
        "stored_unix_nano": pa.array([stored] * len(values), pa.uint64()),
    }
    database.insert("settings", pa.table(rows))
