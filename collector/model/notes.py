"""Notes: repairs and doubts attached to data, so that the user sees them."""

from enum import IntEnum, StrEnum


class NoteKind(IntEnum):
    """A repair or a doubt about a span; answers use the names in lower case."""

    MISSING_PARENT = 0
    MISSING_LINK_TARGET = 1
    DROPPED_LINKS = 2
    CLOCK_SKEW = 3
    END_BEFORE_START = 4
    CYCLE = 5
    SELF_LINK = 6
    ID_REUSED = 7
    REPLAY = 8
    UNCLEAR_CAUSE = 9
    SHARED_KEY = 10
    CUT = 11
    DELETED = 12
    GENERAL_NAME = 13

    @property
    def word(self) -> str:
        """Its name in answers."""
        return self.name.lower()


# These say that a span was lost; the other notes are about spans that are here.
LOST = (NoteKind.MISSING_PARENT, NoteKind.MISSING_LINK_TARGET, NoteKind.DROPPED_LINKS)

# The sentence for each kind. CLOCK_SKEW has one per pair of services (`queries.clock_notes`), DELETED one per
# deletion (`queries.cut_notes`), and CUT has a date (`queries.remnants`).
SENTENCES = {
    NoteKind.MISSING_PARENT: "its parent was not received: what caused it may be missing here",
    NoteKind.MISSING_LINK_TARGET: "it links to a span that was not received",
    NoteKind.DROPPED_LINKS: "its sender dropped links, so messages that it handled may be missing here",
    NoteKind.REPLAY: "it began an hour or more after its message was published: a replay, or a long wait",
    NoteKind.UNCLEAR_CAUSE: "the message that it names as its cause is here, but no single reaction to it is",
    NoteKind.SHARED_KEY: "its flow key is on too many other flows as well, so it names none of them",
    NoteKind.GENERAL_NAME: "its name has an id or a generated word in it, which its event type leaves out",
    NoteKind.END_BEFORE_START: "it ends before it starts",
    NoteKind.CYCLE: "its parents lead back to it, so its own parent was passed over",
    NoteKind.SELF_LINK: "it names itself as its cause, which was passed over",
    NoteKind.ID_REUSED: "its id came with two contents; the one that ended last is shown",
}


class LeftOut(StrEnum):
    """What of a large graph is not in an answer."""

    SHORTENED = "shortened"
    ELSEWHERE = "elsewhere"


class Trouble(StrEnum):
    """Why no span could be made from a record in a file."""

    INVALID_ID = "invalid_id"
    UNREADABLE = "unreadable"
