"""What does a walk over bodies fill? Arrays of columns, for compiled code that never writes beyond them."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from collector.formats.otlp import wire
from collector.formats.otlp.wire import Octets, inlined, jitable

Counts: TypeAlias = npt.NDArray[np.int64]

# As `Count` and `Area` in `scanning` say.
RESOURCES, SCOPES, SPANS, ATTRIBUTES, LINKS, LINK_ATTRIBUTES, EVENTS, DOUBLES = range(8)
NAME, STATE, MESSAGE, KEY, VALUE, LINK_ATTRIBUTE, EVENT, RESOURCE, SCOPE, WRONG = range(8, 18)
BODY_OF, RESOURCE_OF, SCOPE_OF = range(3)
OF_ATTRIBUTES, OF_LINKS, OF_EVENTS, OF_LINK_ATTRIBUTES = range(12, 16)
FIRST_TEXT, FIRST_OFFSETS = NAME, 3


class Walk(NamedTuple):
    """What a walk reads and fills. In compiled code, arrays are pointers: their sizes stand beside them."""

    data: Octets
    length: int
    fill: bool  # or only count
    most_attributes: int
    # For each `Count`: how far we are, and all that there is.
    at: Counts
    size: Counts
    limits: Counts  # where the bytes of each text begin
    starts: Counts  # where each `Area` of the integers begins
    ids: Octets  # trace ids, span ids and parents' ids of spans; trace ids and span ids of links
    kinds: Octets  # kinds and status codes of spans; types of attributes
    ints: npt.NDArray[np.int32]
    halves: npt.NDArray[np.uint32]  # dropped attributes, events and links; flags
    words: npt.NDArray[np.uint64]  # starts and ends of spans
    texts: Octets
    bits: npt.NDArray[np.uint64]  # doubles
    most_bits: int
    decimals: Octets  # the same doubles in decimal
    decimal_ends: npt.NDArray[np.int32]


@inlined
def set_one(array: Any, size: int, place: int, value: Any, walk: Walk) -> None:
    """Write one entry of an array of *size* entries."""
    if 0 <= place < size:
        array[place] = value
    else:
        walk.at[WRONG] += 1


@inlined
def set_int(walk: Walk, area: int, place: int, value: int) -> None:
    """Write one entry of an area of the integers."""
    if 0 <= place < walk.starts[area + 1] - walk.starts[area]:
        walk.ints[walk.starts[area] + place] = np.int32(value)
    else:
        walk.at[WRONG] += 1


@inlined
def end_text(walk: Walk, text: int, row: int) -> None:
    """Say that the text of *row* ends here."""
    set_int(walk, text - FIRST_TEXT + FIRST_OFFSETS, row + 1, walk.at[text])


@inlined
def put(walk: Walk, text: int, begin: int, stop: int) -> None:
    """Add bytes of the body to a text."""
    if walk.fill:
        place, end = walk.limits[text - FIRST_TEXT] + walk.at[text], walk.limits[text - FIRST_TEXT + 1]
        if not wire.copy(walk.data, walk.length, begin, stop - begin, walk.texts, place, end):
            walk.at[WRONG] += 1
    walk.at[text] += stop - begin


@inlined
def put_letter(walk: Walk, place: int, letter: int) -> None:
    """Write a letter of the value that is *place* bytes behind the values so far."""
    area = VALUE - FIRST_TEXT
    to = walk.limits[area] + walk.at[VALUE] + place
    set_one(walk.texts, walk.limits[area + 1], to, np.uint8(letter), walk)


@jitable
def put_decimal(walk: Walk, value: int) -> None:
    """Add a number in decimal to the values."""
    rest = np.uint64(value)
    size = 1
    if value < 0:
        rest = np.uint64(0) - rest
        size = 2
    more = rest // np.uint64(10)
    while more:
        size += 1
        more //= np.uint64(10)
    if walk.fill:
        if value < 0:
            put_letter(walk, 0, 45)
        place = size
        while True:
            more = rest // np.uint64(10)
            place -= 1
            put_letter(walk, place, 48 + wire.whole(rest - more * np.uint64(10)))
            rest = more
            if rest == 0:
                break
    walk.at[VALUE] += size


@jitable
def put_word(walk: Walk, letters: int, size: int) -> None:
    """Add a word to the values; its letters are the bytes of a number."""
    if walk.fill:
        for place in range(size):
            put_letter(walk, place, (letters >> (8 * place)) & 255)
    walk.at[VALUE] += size


@jitable
def put_double(walk: Walk, place: int) -> None:
    """Keep the double at *place* or, once all are there in decimal, add it to the values."""
    row = walk.at[DOUBLES]
    walk.at[DOUBLES] += 1
    if not walk.fill:
        set_one(walk.bits, walk.most_bits, row, wire.little(walk.data, place, 8), walk)
    elif row < walk.size[DOUBLES]:
        begin, stop = wire.whole(walk.decimal_ends[row]), wire.whole(walk.decimal_ends[row + 1])
        to, end = walk.limits[VALUE - FIRST_TEXT] + walk.at[VALUE], walk.limits[VALUE - FIRST_TEXT + 1]
        if not wire.copy(
            walk.decimals, walk.decimal_ends[walk.size[DOUBLES]], begin, stop - begin, walk.texts, to, end
        ):
            walk.at[WRONG] += 1
        walk.at[VALUE] += stop - begin
    else:
        walk.at[WRONG] += 1


@inlined
def put_id(walk: Walk, begin: int, size: int, place: int) -> None:
    """Copy an id to its place."""
    if walk.fill:
        all_ids = 32 * walk.size[SPANS] + 24 * walk.size[LINKS]
        if begin < 0 or place < 0 or size > walk.length - begin or size > all_ids - place:
            walk.at[WRONG] += 1
        else:
            for octet in range(0, size, 8):
                wire.copy_8(walk.ids, place + octet, walk.data, begin + octet)
