"""What is the event type of a message, given the names that its span offers?

The first of them that says something: a verb or the name of a default queue does not. Qualifiers that a
family adds are removed, and what differs from message to message is left out (`generalised`). Users have the
last word.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import Codes, Words
from collector.columns.joins import Mask
from collector.conventions.families import FAMILIES
from collector.conventions.generalised import generalised

# Words that name no event, beside the verbs of all families.
_SAY_NOTHING = {"default", "queue", "topic", "message", "job", "task", "celery"}
_SAY_NOTHING |= {"(default)", "(temporary)", "(anonymous)", "<default>", "<unknown>", "amq.default"}
_SAY_NOTHING |= {verb.lower() for lore in FAMILIES for verb in lore.operations}
_ALONE = pa.array(sorted(_SAY_NOTHING))
# Nor does what has no letter: it was an id. A span's name has several words (`default publish`); an event
# type that is made of such words (`task.create`) says something.
_LETTER = r"[a-z\x{80}-\x{10FFFF}]"
_WORD = "|".join([*map(re.escape, sorted(_SAY_NOTHING)), r"[^a-z\x{80}-\x{10FFFF} ]+"])
_BARE = rf"^(?:{_WORD})(?: (?:{_WORD}))*$"

# What few names became, by patterns and name: each second brings the same ones.
_KNOWN: dict[tuple[str, ...], dict[str, tuple[str, bool, bool]]] = {}
_FEW, _MOST, _SHORT = 1_000, 20_000, 200

_KEEP = "!"  # before the pattern of names that stay as they are
_NAMED = "="


def event_types(
    words: Words, candidates: Sequence[Codes], patterns: Sequence[str] = ()
) -> tuple[Codes, Mask]:
    """(the event type of each, -1 for none; whether something was left out of it).

    *candidates* are the names that each has, the best one first, -1 for none.
    """
    count = len(candidates[0])
    found, resort = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    general = np.zeros(count, np.bool_)
    for names in candidates:
        rows = np.flatnonzero((found < 0) & (names >= 0))
        if not len(rows):
            continue
        made, lessened, says = _made(words, names[rows], patterns)
        first = resort[rows] < 0
        resort[rows[first]], general[rows[first]] = made[first], lessened[first]
        found[rows[says]], general[rows[says]] = made[says], lessened[says]
    return np.where(found < 0, resort, found), general


def bare(words: Words, names: Codes) -> Mask:
    """Which of *names* say nothing."""
    return np.asarray(words.meanings(names, _are_bare, 0) == 1)


def _made(words: Words, names: Codes, patterns: Sequence[str]) -> tuple[Codes, Mask, Mask]:
    """(the event type of each of *names*, whether something was left out of it, whether it says anything)."""
    about: list[Mask] = []

    def made(texts: pa.Array) -> Codes:
        types, *masks = _remembered(texts, tuple(patterns)) if len(texts) <= _FEW else _typed(texts, patterns)
        about.extend(masks)
        return words.add(types)

    codes = words.meanings(names, made, -1).astype(np.int32)
    _, place = np.unique(names, return_inverse=True)
    lessened, says = about
    return codes, lessened[place], says[place]


def _remembered(texts: pa.Array, patterns: tuple[str, ...]) -> tuple[pa.Array, Mask, Mask]:
    """`_typed` for few names, which are mostly the same from one second to the next."""
    known = _KNOWN.get(patterns)
    if known is None or len(known) > _MOST:
        _KNOWN.clear()  # a process has one set of patterns
        known = _KNOWN[patterns] = {}
    asked = texts.to_pylist()
    new = [text for text in asked if text not in known]
    fresh = dict[str, tuple[str, bool, bool]]()
    if new:
        columns = (column.tolist() for column in _typed(pa.array(new, pa.string()), patterns))
        fresh = dict(zip(new, zip(*columns, strict=True), strict=True))
    known.update((text, made) for text, made in fresh.items() if len(text) <= _SHORT)
    types, lessened, says = zip(*(fresh.get(text) or known[text] for text in asked), strict=True)
    return pa.array(types, pa.string()), np.array(lessened), np.array(says)


def _typed(texts: pa.Array, patterns: Sequence[str]) -> tuple[pa.Array, Mask, Mask]:
    """(the event type of each of *texts*, whether something was left out of it, whether it says anything)."""
    short = _brief(texts)
    chosen = pa.nulls(len(texts), pa.string())
    for offered in (texts, short) if patterns else ():
        chosen = _by_patterns(chosen, offered, patterns)
    general, wanted = generalised(short), np.asarray(chosen.is_valid())
    lessened = ~wanted & np.asarray(pc.not_equal(general, short), np.bool_)
    types = pc.coalesce(chosen, general)
    return types, lessened, wanted | ~_are_bare(types)


def _are_bare(names: pa.Array) -> Mask:
    lower = pc.utf8_lower(names)
    found: Mask = np.array(pc.is_in(lower, value_set=_ALONE), np.bool_)
    found |= ~np.asarray(pc.match_substring_regex(lower, _LETTER), np.bool_)
    rows = np.flatnonzero(np.asarray(pc.match_substring(lower, " "), np.bool_))
    if len(rows):
        found[rows] |= np.asarray(pc.match_substring_regex(lower.take(pa.array(rows)), _BARE), np.bool_)
    return found


def _brief(texts: pa.Array) -> pa.Array:
    """*texts* without the qualifiers that some families add, such as an ARN or an assembly."""
    for lore in FAMILIES:
        for pattern, replacement in lore.event_types:
            texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts


def _by_patterns(chosen: pa.Array, texts: pa.Array, patterns: Sequence[str]) -> pa.Array:
    """*chosen*, and where it is null what the first pattern that fits makes of each of *texts*."""
    for form, name in (_parsed(pattern) for pattern in patterns):
        fits = pc.match_substring_regex(texts, form)
        made = texts if name is None else pa.scalar(name)
        chosen = pc.coalesce(chosen, pc.if_else(fits, made, pa.scalar(None, pa.string())))
    return chosen


@lru_cache(maxsize=1_000)
def _parsed(pattern: str) -> tuple[str, str | None]:
    """(regular expression, event type or None for the name itself) of a pattern that a user wrote."""
    keeps = pattern.startswith(_KEEP)
    form, named, name = pattern.removeprefix(_KEEP).partition(_NAMED)
    parts = re.split(r"(\*+)", form.strip())
    stars = {"*": "[^./:]+"}
    literal = "".join(stars.get(part, ".+") if part.startswith("*") else re.escape(part) for part in parts)
    return f"(?s)^(?:{literal})$", None if keeps else (name.strip() if named else form.strip())
