"""What does a process find that opens a data folder? Each is new: one can have only one engine."""

import os
import sys
from pathlib import Path

from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.open import open_store
from tests.factories import request, span, table
from tests.spawning import ended
from tests.stores.decision_contract import decision

# Undoes what older versions did not have yet, newest first.
OLDER = [
    "DROP TABLE decisions",
    "DROP TABLE settings",
    "ALTER TABLE flows DROP COLUMN stuck_from",
    "ALTER TABLE flows DROP COLUMN names",
]


def in_a_process(folder: Path, *does: str) -> str:
    """What a process that opens *folder* prints: the number of spans, or why it failed.

    It writes the span named first, and with "older" downgrades the folder to an older version.
    """
    done = ended(_open, str(folder), *does)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def killed_after_a_decision(folder: Path) -> str:
    """What a process prints that writes a decision into *folder*, reads all of them, and is killed."""
    return ended(_decide, str(folder)).stdout


def _open() -> None:
    folder, *does = sys.argv[1:]
    try:
        opened = open_store(Path(folder), 2**29)
        spans = opened.stores().spans
        if does:
            spans.write(table(request(span(id=does[0]))))
        print(spans.span_count())  # noqa: T201
        assert isinstance(spans, ClickHouseSpans)
        for statement in OLDER if "older" in does else []:
            spans._database.execute(statement)
        opened.close()
        if "older" in does:
            (Path(folder) / "tables.json").unlink()  # which older versions did not have
    except Exception as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201


def _decide() -> None:
    store = open_store(Path(sys.argv[1]), 2**29).stores().decisions
    store.write(decision(len(store.all())))
    print(*(one.at for one in store.all()), flush=True)  # noqa: T201
    os._exit(9)
