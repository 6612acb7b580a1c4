"""Which words were drawn at random, and which did a person write?

Both are written with the same letters and digits, so what decides is how likely one character follows
another: in the names that people give, and among characters drawn at random. The table was counted on 34,000
names that occur in at least two files of open-source packages (Python and JavaScript).
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask

_CAPITAL, _SMALL, _DIGIT = range(3)

# Bits of evidence that a person wrote it, from the class in each row to the class in each column.
_CLASSES = np.array([[-0.3, 0.6, -4.2], [-3.0, 1.2, -4.4], [-1.7, -0.8, 2.0]])

# The same for letters, from each row's (a to z) to each column's, in bits above -4.
_LETTERS = (
    "04540140402645040656321230 63225100540621520552500040 60316106405400710436400020"
    " 62247240610421520443410020 42553330200445132665132520 50225510702511620534500020"
    " 51117145500434410642410010 72017100600232610435300030 43544340001447530355030204"
    " 60037100502221610060501020 52237232500424320352403030 61137100600510520044420040"
    " 64117000600342561141410020 51555461402213420156330010 33441230302557340644534200"
    " 61226004400510540635410040 21000101000521030424700001 61337230603243620544320030"
    " 40516104502321442157511030 51317104600221520644301050 45435330400556240555000000"
    " 71127000600120400110000200 61226115600305520552010000 30527202500221260126110230"
    " 33344230400545371355123012 60027133500120430132301042"
)
_BITS = np.array([[int(level) - 4 for level in row] for row in _LETTERS.split()], np.float64)

_OCTETS = 128  # of ASCII
_END = "\n"  # of a word


def _pairs() -> npt.NDArray[np.float32]:
    """The bits for each pair of characters, by 128 times the first one and the second one."""
    bits = np.zeros((_OCTETS, _OCTETS), np.float32)
    kinds = {
        octet: kind
        for kind, form in enumerate((r"[A-Z]", r"[a-z]", r"[0-9]"))
        for octet in range(_OCTETS)
        if re.match(form, chr(octet))
    }
    for before, first in kinds.items():
        for after, second in kinds.items():
            bits[before, after] = _CLASSES[first, second]
            # No letter of one word follows the last letter of another: `OrderPlaced`.
            if _DIGIT not in (first, second) and (first, second) != (_SMALL, _CAPITAL):
                bits[before, after] += _BITS[(before | 32) - ord("a"), (after | 32) - ord("a")]
    return bits.ravel()


_PAIRS = _pairs()

_SHORTEST = 8  # of shorter words nothing can be said
# What people put between words: a version (`IPv4Addr`), "to" (`Order2Cash`).
_PERSONS = ((r"[vV]\d{1,2}", ""), (r"([A-Za-z])[24]([A-Z])", r"\1\2"))


def random_words(words: pa.Array) -> Mask:
    """Which of *words* (text) are letters and digits in both cases, or with digits, drawn at random."""
    found = np.zeros(len(words), np.bool_)
    rows = np.flatnonzero(np.asarray(pc.match_substring_regex(words, rf"^[0-9A-Za-z]{{{_SHORTEST},}}$")))
    if not len(rows):
        return found
    some = words.take(pa.array(rows))
    length = _numbers(pc.utf8_length(some))
    capitals, small, digits = (
        np.asarray(pc.match_substring_regex(some, form), np.bool_) for form in ("[A-Z]", "[a-z]", "[0-9]")
    )
    runs = _numbers(pc.count_substring_regex(some, "[0-9]+"))
    for pattern, replacement in _PERSONS:
        some = pc.replace_substring_regex(some, pattern, replacement)
    evidence = _evidence(some)
    long = length >= 16
    # The shorter a word is, the less it proves; without a digit it may be a row of abbreviations.
    least = np.where(long, -3.0, -6.0) - np.where(digits, 0.0, 3.0)
    mixed = capitals & small & (evidence < least)
    # In one case, only words with several numbers inside: `sha256sum` and `utf16le` are names.
    numbered, proven = runs > 2, evidence < -6
    shouted = capitals & ~small & ((length >= 12) & (runs > 1) & (evidence < -3) | numbered & proven)
    whispered = small & ~capitals & numbered & (long & (evidence < 0) | proven)
    found[rows] = mixed | shouted | whispered
    return found


def _evidence(words: pa.Array) -> npt.NDArray[np.float32]:
    """The bits of evidence that a person wrote each of *words*, which are ASCII letters and digits."""
    lists = pa.ListArray.from_arrays(pa.array([0, len(words)], pa.int32()), words)
    octets = np.frombuffer(pc.binary_join(lists, _END)[0].as_buffer(), np.uint8).astype(np.uint16)
    bits = np.append(_PAIRS[octets[:-1] * _OCTETS + octets[1:]], np.float32(0))
    begins = np.cumsum(np.append(0, _numbers(pc.utf8_length(words))[:-1] + 1))
    evidence: npt.NDArray[np.float32] = np.add.reduceat(bits, begins)
    return evidence


def _numbers(column: pa.Array) -> Ints:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)
