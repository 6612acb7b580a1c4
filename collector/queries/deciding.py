"""A person says what is to be expected: is that a word that can be kept, and about a step that is known?"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from collector.diagnosis.standing import Standings
from collector.model.answers import Decision
from collector.model.decisions import Decision as Said
from collector.model.decisions import Word
from collector.queries.expectation_list import decision_of
from collector.queries.paging import QuestionError
from collector.queries.sources import Sources

MOST_STORED = 10_000  # decisions in all: people do not say more, programs might
WORDS = ("forget", "keep")
LONGEST: Mapping[str, int] = {"event_type": 200, "service": 200, "author": 100, "reason": 1_000}
_COMPARED = 2_000  # known steps that a wrong name is compared with
_SHOWN = 80  # characters of a value in an error


class DecisionError(Exception):
    """A decision that is not taken now; the text says why."""


class TooManyDecisionsError(DecisionError):
    """So many are stored that no more are taken."""


class TooEarlyError(DecisionError):
    """What is expected is not known yet."""


class UnknownStepError(DecisionError):
    """Nothing is expected there, and nothing ever was; *nearest* are steps that are known."""

    def __init__(self, wish: "Wish", nearest: list[str]) -> None:
        known = f" Known are: {'; '.join(nearest)}." if nearest else ""
        super().__init__(
            f"event_type is '{_cut(wish.event_type)}' and service is '{_cut(wish.service)}':"
            f" expected a step that was seen, or is declared.{known}"
        )
        self.nearest = nearest


@dataclass(frozen=True)
class Wish:
    """What a person wants to be stored."""

    word: Word
    event_type: str
    service: str
    author: str
    reason: str


def wish_of(document: object) -> Wish:
    """The wish that a JSON *document* holds; raise `QuestionError`, which names the field that is wrong."""
    fields = ("word", *LONGEST)
    if not isinstance(document, dict):
        raise QuestionError(f"The body is no JSON object: expected one with {_listed(fields)}.")
    for name, value in document.items():
        if name not in fields:
            raise QuestionError(
                f"{_cut(name)} is {_shown(value)}: no such field, expected {_listed(fields)}."
            )
    for name in fields:
        if name not in document:
            raise QuestionError(f"{name} is missing: expected {_expected(name)}.")
    if document["word"] not in WORDS:
        raise QuestionError(f"word is {_shown(document['word'])}: expected {_expected('word')}.")
    return Wish(cast("Word", document["word"]), *(_text(document, name) for name in LONGEST))


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    text = value.strip() if isinstance(value, str) and name in ("author", "reason") else value
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST[name]:
        long = f" ({len(text):,} characters)" if isinstance(text, str) and len(text) > _SHOWN else ""
        raise QuestionError(f"{name} is {_shown(value)}{long}: expected {_expected(name)}.")
    return text


class Deciding:
    """Takes decisions, one at a time: each is stored before it is applied."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lock = threading.Lock()

    def decide(self, wish: Wish) -> Decision:
        """Store and apply *wish*; return it as it is stored. Raise `DecisionError` if it is not taken."""
        live, store = self._sources.live, self._sources.decisions
        with self._lock:
            if not live.replayed.is_set():
                raise TooEarlyError(
                    "The collector has just started, and does not know yet what is expected:"
                    " ask again in some seconds."
                )
            stored = store.all()
            known = {(one.event_type, one.service): None for one in stored}
            known = dict.fromkeys(_steps(live.snapshot.standings)) | known
            if (wish.event_type, wish.service) not in known:
                raise UnknownStepError(wish, _nearest(wish, list(known)))
            if len(stored) >= MOST_STORED:
                raise TooManyDecisionsError(
                    f"There are {len(stored):,} decisions, and at most {MOST_STORED:,} are stored:"
                    " nothing can be added."
                )
            # The newest one counts, even if the clock was set back.
            at = max(self._sources.clock(), stored[-1].at + 1 if stored else 0)
            said = Said(at, wish.word, wish.event_type, wish.service, wish.author, wish.reason)
            store.write(said)
            live.decide(said)
        return decision_of(said)


def _steps(standings: Standings) -> Iterator[tuple[str, str]]:
    for one in standings.standings:
        yield from ((trigger, one.service) for trigger in one.triggers)


def _nearest(wish: Wish, known: list[tuple[str, str]]) -> list[str]:
    """The steps that look most like what *wish* names, as `payment after StockReserved`."""
    named = {f"{service} after {event}".casefold(): f"{service} after {event}" for event, service in known}
    asked = f"{wish.service} after {wish.event_type}".casefold()
    found = get_close_matches(asked, list(named)[:_COMPARED], n=5, cutoff=0.5)
    return [_cut(named[name], 2 * _SHOWN) for name in found]


def _expected(name: str) -> str:
    if name == "word":
        return " or ".join(WORDS)
    return f"text of 1 to {LONGEST[name]:,} characters"


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _shown(value: object) -> str:
    return f"'{_cut(value)}'" if isinstance(value, str) else _cut(repr(value))


def _cut(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
