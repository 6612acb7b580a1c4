"""What is said of flows whose spans retention has dropped, some of them or all?"""

from collector.model.answers import FlowItem, Note, Unexplained, Unlisted
from collector.model.answers.lists import SpansKept
from collector.model.notes import NoteKind
from collector.model.wording import counted, day_of
from collector.upkeep.retention import Retained


def spans_kept(begun: int, received: int, kept_since: int) -> SpansKept:
    """Whether all spans of a flow are kept, some or none.

    Its first span was received at *begun* (0: not known) and its last one at *received*; the oldest span that
    is kept, of whatever flow, at *kept_since*. All in nanoseconds.
    """
    if received < kept_since:
        return "none"
    return "some" if 0 < begun < kept_since else "all"


def cut_notes(item: FlowItem, kept_since: int) -> list[Note]:
    """That spans of *item* are not kept any longer; nothing if all are."""
    if item.spans_kept == "all":
        return []
    return [Note(kind=NoteKind.CUT.word, ref=None, text=_sentence(item.spans_kept, kept_since))]


def cut_sentence(begun: int, received: int, kept_since: int) -> str:
    """What is said of a flow, as in `cut_notes`; empty if all of it is kept."""
    kept = spans_kept(begun, received, kept_since)
    return "" if kept == "all" else _sentence(kept, kept_since)


def unlisted(flows: int, kept_since: int) -> Unlisted | None:
    """That so many flows that stopped are not listed any more; None if none are."""
    if not flows:
        return None
    verb = "is" if flows == 1 else "are"
    return Unlisted(
        flows=flows,
        before_unix_nano=kept_since,
        sentence=(
            f"{counted(flows, 'flow')} that stopped before {day_of(kept_since)} {verb} no longer listed here:"
            f" what {'its' if flows == 1 else 'their'} services sent before that day is not kept any longer."
        ),
    )


def unexplained(flows: int) -> Unexplained | None:
    """That so many flows stopped of which no finding tells why; None if there are none."""
    if flows <= 0:
        return None
    verb, they = ("is stuck or has", "it waits") if flows == 1 else ("are stuck or have", "they wait")
    return Unexplained(
        flows=flows,
        sentence=(
            f"{counted(flows, 'flow')} {verb} failed, and what {they} for is not known any more: so it is"
            " after a start with too little to learn from, and for what memory had no room for."
        ),
    )


def kept_sentence(retained: Retained) -> str:
    """How long spans are kept and, if there are any, of when the oldest is."""
    limits = retained.limits
    oldest = f"; the oldest is of {day_of(retained.since)}" if retained.days else ""
    return f"Spans of the last {counted(limits.days, 'day')} are kept, at most {_size(limits.bytes)}{oldest}."


def _size(number: int) -> str:
    """`62.9 GB`, `120 MB`."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def _sentence(kept: SpansKept, kept_since: int) -> str:
    if kept == "none":
        return f"Its spans are no longer kept: all of them were received before {day_of(kept_since)}."
    return f"What happened before {day_of(kept_since)} is no longer kept."
