"""How the collector's own store is doing, and its backups."""

from typing import Annotated, Literal, TypeAlias

from collector.model.answers.base import Answer, says

StoreKind: TypeAlias = Literal["embedded", "server"]
BackupWord: TypeAlias = Literal["running", "done", "failed"]


class StoreDamage(Answer, frozen=True, kw_only=True):
    """Something stored that is damaged, or was."""

    table: Annotated[str, says("empty: a file of the store as a whole")]
    part: Annotated[str, says("the name of the folder or file")]
    begins_unix_nano: Annotated[int | None, says("the first arrival in it, or earlier; null: not known")]
    ends_unix_nano: Annotated[int | None, says("the last arrival in it, or later; null: not known")]
    rows: Annotated[int | None, says("at most so many cannot be read; 0: nothing is lost; null: not known")]
    reason: str


class Backup(Answer, frozen=True, kw_only=True):
    """The newest backup that was asked for since the collector started."""

    name: str
    state: BackupWord
    said: Annotated[str, says("its folder if it is done, why it failed if it did")]


class Store(Answer, frozen=True, kw_only=True):
    """How much is stored, and whether it is whole."""

    kind: Annotated[StoreKind, says("what a server stores, its own tools check and save")]
    bytes: int | None
    rows: Annotated[dict[str, int], says("by table; copies that are not merged yet count each")]
    oldest_unix_nano: Annotated[int | None, says("the first arrival of a span")]
    checked_unix_nano: Annotated[int | None, says("when it was last looked at")]
    checked_fully_unix_nano: Annotated[int | None, says("when everything was last read; null: not yet")]
    damages: list[StoreDamage]
    backup: Backup | None
