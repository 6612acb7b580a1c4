"""How is the collector's own store doing? And what may a person ask of it?"""

from typing import Any

from collector.model.answers import Backup, Store, StoreDamage
from collector.queries.paging import QuestionError
from collector.store.contracts import PLAIN_NAME, BackupError, Damage, is_plain_name
from collector.upkeep.checking import Backup as Asked
from collector.upkeep.checking import StoreChecks

BY_SERVER = (
    "A ClickHouse server stores the data (CHOREOSCOPE_STORE): its own tools check, save and restore it,"
    " such as CHECK TABLE, BACKUP and RESTORE."
)


def store_state(checks: StoreChecks | None) -> Store:
    """How much is stored, and whether it is whole; without *checks*, a server keeps it."""
    if checks is None:
        return Store(
            kind="server",
            bytes=None,
            rows={},
            oldest_unix_nano=None,
            checked_unix_nano=None,
            checked_fully_unix_nano=None,
            damages=[],
            backup=None,
        )
    figures, checked = checks.care.figures(), checks.checked
    return Store(
        kind="embedded",
        bytes=figures.bytes,
        rows=dict(figures.rows),
        oldest_unix_nano=figures.oldest_unix_nano,
        checked_unix_nano=checked.at,
        checked_fully_unix_nano=checked.fully_at,
        damages=[damage_of(one) for one in checked.damages],
        backup=backup_of(checked.backup) if checked.backup else None,
    )


def begin_backup(checks: StoreChecks | None, document: object) -> Backup:
    """Begin the backup that *document* names; raise `QuestionError` or `BackupError` if it cannot begin."""
    if checks is None:
        raise BackupError(BY_SERVER)
    if not isinstance(document, dict) or document.keys() != {"name"} or not isinstance(document["name"], str):
        raise QuestionError("The body is wrong: expected a JSON object with one field, name, a text.")
    if not is_plain_name(document["name"]):
        raise QuestionError(f"name is '{document['name'][:80]}': expected {PLAIN_NAME}.")
    return backup_of(checks.back_up(document["name"]))


def damage_of(damage: Damage) -> StoreDamage:
    """*damage* as an answer shows it."""
    fields: dict[str, Any] = {name: getattr(damage, name) for name in StoreDamage.__struct_fields__}
    return StoreDamage(**fields)


def backup_of(backup: Asked) -> Backup:
    """*backup* as an answer shows it."""
    return Backup(name=backup.name, state=backup.state, said=backup.said)
