"""The error that reports one unusable record of a file."""

from collector.model.notes import Trouble


class UnusableError(ValueError):
    """One record cannot be used; the rest of its file can. The text is a full sentence, shown as a note."""

    def __init__(self, text: str, kind: Trouble = Trouble.UNREADABLE, ref: str | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.ref = ref
