"""What is said on a flow of which people deleted something?"""

from collections.abc import Iterable

import msgspec

from collector.model.answers import Note, Stitched
from collector.model.deletions import Deletion
from collector.model.notes import NoteKind
from collector.model.wording import moment
from collector.queries.sources import Sources

# What is missing was deleted, as far as anybody can tell: it is not called lost.
_LOST = {NoteKind.MISSING_PARENT.word, NoteKind.MISSING_LINK_TARGET.word}


def with_cuts(sources: Sources, graph: Stitched, traces: Iterable[str]) -> tuple[Stitched, bool]:
    """*graph* with a note for each deletion that took spans of its *traces* (hex); and whether any did."""
    ids = set(sources.deletions.cuts_of(map(bytes.fromhex, traces)))
    if not ids:
        return graph, False
    known = {one.deletion.id: one.deletion for one in sources.deletions.records() if one.deletion.id in ids}
    said = [Note(kind=NoteKind.DELETED.word, ref=None, text=_text(one)) for one in known.values()]
    notes = [note for note in graph.notes if note.kind not in _LOST]
    return msgspec.structs.replace(graph, notes=[*notes, *said]), True


def _text(deletion: Deletion) -> str:
    what = f"spans of {deletion.service}" if deletion.service else "spans of it"
    return f"{what} were deleted at {moment(deletion.id, 0)} by {deletion.author}: {deletion.reason}"
