"""What is left of a name without what differs from message to message: ids, partitions, generated words?

`orders.8f14e45f.placed` becomes `orders.*.placed`, whichever library sent it. Each order's messages would be
event types of their own otherwise: nothing could be learned of them, and no step would ever be missed.
Everything is done in columns: where subjects hold ids, there are as many names as messages.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Mask
from collector.conventions.families import FAMILIES
from collector.conventions.random_words import random_words

ANY = "*"

_NUL = "\0"  # between parts
_KEPT = "\1"  # stands for a dot that separates nothing

# Without a digit and without words of both cases, only what a family generates may be in a name.
_MAY_HOLD = r"\d|[0-9a-fA-F]{10}|[a-z][0-9A-Za-z]*[A-Z]|[A-Z]{2}[0-9A-Za-z]*[a-z]"
_MAY_BE = r"\d|[0-9a-fA-F]{10}|[a-z][A-Z]|[A-Z]{2}[a-z]"
_SEPARATORS = r"[^0-9A-Za-z_~@#%+*`\x{80}-\x{10FFFF}\x01-]+"
_JOINERS = r"[-_~@#%+]+"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_GENERATED = tuple(form for lore in FAMILIES for form in lore.generated)
# Dots within a version: `v1.2`, `OrderPlaced:1.0`. Twice, for a third number.
_VERSIONS = (rf"((?:\b[vV]|[:@])\d{{1,3}}(?:{_KEPT}\d{{1,3}})*)\.(\d{{1,3}})\b", rf"\1{_KEPT}\2")

# An id that its own form tells: a ULID, hex of 8 or more (10 without a number), a prefix and a long number.
_ID = (
    r"^(?:[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}|(?:0[xX])?[0-9a-fA-F]*[0-9][0-9a-fA-F]*|[0-9A-Fa-f]{10,}"
    r"|[A-Za-z]{1,4}\d{5,})$"
)
_LONG = r"^.{8,}$"
# Hex that people write: `face2face`, `decade80`, `cafe2026`.
_HEX_WORDS = (
    "face|cafe|facade|decade|decaf|dead|deed|feed|bead|beef|babe|fade|deaf|feb|dec|bad|bed|fed|add|ace|abc"
)
_WORD_IN_HEX = rf"(?i)^(?:{_HEX_WORDS})?(?:\d{{1,2}}|(?:19|20)\d\d)(?:{_HEX_WORDS})?$"
# Numbers that name a kind: `http-404`, `iso8601`, `sha-256`.
_KINDS = r"(?i)^(?:https?|error|status|code|utf|iso|sha|rfc|port|aes|md|ean|gs|edi)[-_]?\d+$"


def generalised(names: pa.Array) -> pa.Array:
    """*names* (text) with `*` for each part that is an id or was generated; most stay as they are."""
    for pattern, replacement in _GENERATED:
        names = pc.replace_substring_regex(names, pattern, replacement)
    return _where(names, _MAY_HOLD, _general_names)


def _general_names(names: pa.Array) -> pa.Array:
    names = pc.replace_substring_regex(names, _UUID, ANY)
    for _ in range(2):
        names = pc.replace_substring_regex(names, *_VERSIONS)
    names = _each_part(names, _SEPARATORS, _general_parts)
    return pc.replace_substring(names, _KEPT, ".")


def _each_part(names: pa.Array, separators: str, of: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """*names* with *of* applied to the parts between *separators* that may be ids."""
    lists = pc.split_pattern(pc.replace_substring_regex(names, separators, rf"{_NUL}\0{_NUL}"), _NUL)
    made = _where(lists.flatten(), _MAY_BE, of)
    return pc.binary_join(pa.ListArray.from_arrays(lists.offsets, made), "")


def _general_parts(parts: pa.Array) -> pa.Array:
    """*parts* of names, between dots and the like."""
    # A date is a number with hyphens.
    whole = (_fits(parts, r"^\d+(?:[-_]\d+)*$") | _are_ids(parts)) & ~_fits(parts, _KINDS)
    return pc.if_else(pa.array(whole), pa.scalar(ANY), _where(parts, _JOINERS, _general_joined))


def _general_joined(parts: pa.Array) -> pa.Array:
    """*parts* of words with hyphens and the like between them."""
    kept = _fits(parts, _KINDS)
    # Ids of 21 characters may have hyphens.
    whole = _fits(parts, r"^[0-9A-Za-z_-]{20,}$")
    if whole.any():
        whole &= random_words(pc.replace_substring_regex(parts, "[-_]", ""))
    some = _each_part(parts, _JOINERS, _general_words)
    # The rest of a number with hyphens, such as a date behind a name.
    for pattern, replacement in ((r"(^|[-_])(?:\d+[-_])+\*", r"\1*"), (r"\*(?:[-_](?:\d+|\*))+", ANY)):
        some = pc.replace_substring_regex(some, pattern, replacement)
    return pc.if_else(pa.array(kept), parts, pc.if_else(pa.array(whole), pa.scalar(ANY), some))


def _general_words(words: pa.Array) -> pa.Array:
    """*words* between hyphens: a number of one or two digits may be a step, a level or a version."""
    return pc.if_else(pa.array(_fits(words, r"^\d{3,}$") | _are_ids(words)), pa.scalar(ANY), words)


def _are_ids(words: pa.Array) -> Mask:
    found = _fits(words, _LONG) & _fits(words, _ID) & ~_fits(words, r"^\d+$")
    rows = np.flatnonzero(found)
    found[rows[_fits(words.take(pa.array(rows)), _WORD_IN_HEX)]] = False
    rest = np.flatnonzero(~found)
    found[rest] = random_words(words.take(pa.array(rest)))
    return found


def _where(texts: pa.Array, pattern: str, of: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """*texts*, with *of* applied to those in which *pattern* is found."""
    mask = _fits(texts, pattern)
    if not mask.any():
        return texts
    return pc.replace_with_mask(texts, pa.array(mask), of(texts.filter(pa.array(mask))))


def _fits(texts: pa.Array, pattern: str) -> Mask:
    """In which of *texts* *pattern* is found; in no null."""
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False)
    mask: Mask = np.array(found, np.bool_)
    return mask
