"""How a reader of records says that one can not be used."""

from enum import StrEnum


class Trouble(StrEnum):
    """What is wrong with a record, as a note calls it."""

    INVALID_ID = "invalid_id"
    UNREADABLE = "unreadable"


class UnusableError(ValueError):
    """One record can not be used; the others of its file can. The text is a sentence for a note."""

    def __init__(self, text: str, kind: Trouble = Trouble.UNREADABLE, ref: str | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.ref = ref
