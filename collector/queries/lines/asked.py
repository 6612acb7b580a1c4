"""What do a search line and the parameters beside it ask for together?"""

from dataclasses import dataclass

from collector.model.answers import LineProblem, LineRead, LineTerm
from collector.model.conditions import IsVariant
from collector.queries.lines.search_line import DISMISSED, STATE_WORDS, STATES, Line, read
from collector.queries.paging import QuestionError, order_of
from collector.store.contracts import Search

_NOTHING = IsVariant(())  # one of no variants
_NO_LINE = Line()


@dataclass(frozen=True)
class Asked:
    """A search, and what to say about it."""

    search: Search
    line: Line = _NO_LINE

    @property
    def states(self) -> list[str]:
        """The states that are wanted; none: all."""
        wanted = {STATE_WORDS_OF[code] for code in self.search.states}
        wanted |= {DISMISSED} if self.search.dismissed else set()
        return [word for word in STATE_WORDS if word in wanted]

    @property
    def read(self) -> LineRead:
        """How the line was read."""
        line = self.line
        return LineRead(
            text=line.text,
            terms=[LineTerm(start=t.start, end=t.end, field=t.field, negated=t.negated) for t in line.terms],
            problems=[LineProblem(start=p.start, end=p.end, sentence=p.sentence) for p in line.problems],
        )


STATE_WORDS_OF = {code: word for word, code in STATES.items()}


def asked(
    text: str, now: int, *, state: str = "", waiting_for: str = "", since: int = 0, sort: str = ""
) -> Asked:
    """The flows that the line *text* asks for at the time *now*, if all else holds as well.

    *state* has words with commas between them. Raise `QuestionError` if it or *sort* cannot be read.
    """
    line = read(text, now)
    words = _both(line.states, _words(state))
    conditions = line.conditions if words != frozenset() else (*line.conditions, _NOTHING)
    states = tuple(sorted(STATES[word] for word in words or () if word != DISMISSED))
    search = Search(
        "",
        states,
        DISMISSED in (words or ()),
        since,
        waiting_for=waiting_for,
        conditions=conditions,
        order=order_of(sort),
    )
    return Asked(search, line)


def _words(text: str) -> frozenset[str] | None:
    """The states that *text* names; None for all."""
    words = frozenset(word.strip() for word in text.split(",") if word.strip())
    for word in sorted(words - set(STATE_WORDS)):
        msg = f"state is '{word[:40]}': expected {', '.join((*STATES, DISMISSED))}."
        raise QuestionError(msg)
    return words or None


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return (one if other is None else other) if one is None or other is None else one & other
