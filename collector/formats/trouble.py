"""How a reader of records says that one can not be used."""

from collector.model.notes import Trouble


class UnusableError(ValueError):
    """One record can not be used; the others of its file can. The text is a sentence for a note."""

    def __init__(self, text: str, kind: Trouble = Trouble.UNREADABLE, ref: str | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.ref = ref
