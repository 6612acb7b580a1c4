"""What is said on a flow of which people deleted something?"""

from collections.abc import Iterable

from collector.model.answers import Note
from collector.model.deletions import Deletion
from collector.model.notes import NoteKind
from collector.model.wording import moment
from collector.queries.sources import Sources


def deletion_notes(sources: Sources, traces: Iterable[bytes]) -> list[Note]:
    """A note for each deletion that took spans of these *traces* (16 bytes each)."""
    ids = set(sources.deletions.cuts_of(traces))
    if not ids:
        return []
    known = {one.deletion.id: one.deletion for one in sources.deletions.records() if one.deletion.id in ids}
    return [Note(kind=NoteKind.DELETED.word, ref=None, text=_text(one)) for one in known.values()]


def _text(deletion: Deletion) -> str:
    what = f"spans of {deletion.service}" if deletion.service else "spans of it"
    return f"{what} were deleted at {moment(deletion.id, 0)} by {deletion.author}: {deletion.reason}"
