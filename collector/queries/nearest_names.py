"""Which flows have names like one that nothing has? It may be mistyped, or only the beginning of a key."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from collector.model.conditions import Mentions, Name, Where
from collector.queries.holding import holds
from collector.queries.sources import Sources
from collector.store.contracts import Search, begins_trace_id

SHORTEST = 3  # characters that names must share: fewer are in many by chance
ALIKE = 0.6  # the smallest likeness of two names, from 0 to 1
_TRACE_DIGITS = 8
_LOOKED_AT = 1_000  # of the names in memory, and as many of those in the store, that share a piece


def nearest(sources: Sources, name: str, most: int = 5, *, absent: bool = False) -> list[str]:
    """At most *most* names of flows that look like *name*, the most alike first.

    Only names count: a flow with an event type or a service like it is not called like it.
    *absent*: it is known that none has all of it.
    """
    for pieces in pieces_of(name)[1 if absent else 0 :]:
        if not pieces:
            continue
        candidates = dict.fromkeys(_having(sources, "id", pieces))
        if alike := most_alike(name, candidates, most):
            return alike
        # A trace id is no part of a name.
        digits = [piece for piece in pieces if len(piece) >= _TRACE_DIGITS and begins_trace_id(piece)]
        if digits and (found := _having(sources, "text", digits)):
            return list(dict.fromkeys(found))[:most]
    return []


def pieces_of(name: str) -> list[list[str]]:
    """What of *name* is looked for, the longest first: one mistyped character leaves a half as it is."""
    half = max(len(name) // 2, SHORTEST)
    sets = [[name], [name[:-2], name[2:]], [name[:half], name[-half:]], [name[:SHORTEST], name[-SHORTEST:]]]
    return [list(dict.fromkeys(piece for piece in pieces if len(piece) >= SHORTEST)) for pieces in sets]


def most_alike(name: str, candidates: dict[str, None], most: int) -> list[str]:
    """Those of *candidates* that are like *name*, or that hold it or are held by it."""
    asked = name.casefold()
    matcher = SequenceMatcher(None, "", asked, autojunk=False)
    ranked = []
    for candidate in candidates:
        known = candidate.casefold()
        matcher.set_seq1(known)
        held = asked in known or (len(known) >= SHORTEST and known in asked)
        # The cheapest bound first: a name that is asked for may be long.
        ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
        if held or all(ratio() >= ALIKE for ratio in ratios):
            ranked.append((-matcher.ratio(), candidate))
    return [candidate for _, candidate in sorted(ranked)[:most]]


def _having(sources: Sources, where: Where, pieces: Sequence[str]) -> list[str]:
    """The names of flows that have one of *pieces*: one question, as each looks at all names."""
    snapshot = sources.live.snapshot
    condition = Mentions(where, tuple(Name(piece, begins=False, ends=False) for piece in pieces))
    rows = np.flatnonzero(holds(snapshot, condition))[-_LOOKED_AT:]
    here = [str(one) for one in snapshot.flows["id"].take(rows).to_pylist()]
    alone = Search(conditions=(condition,), without=snapshot.kept_ids, stored_by=snapshot.stored)
    return here + [str(one) for one in sources.flows.found(alone, _LOOKED_AT)["id"].to_pylist()]
