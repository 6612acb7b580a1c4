"""How is a sound body made into one that is nearly sound? Mutations of bytes, from a seeded generator."""

import random
from collections.abc import Sequence

# What breaks parsers: lengths that overflow, varints that do not end, groups, ends of text, nesting.
PIECES: Sequence[bytes] = (
    b"\xff" * 9 + b"\x01",
    b"\xf6" + b"\xff" * 8 + b"\x01",
    b"\xff" * 8 + b"\x7f",
    b"\xff" * 11,
    b"\x80" * 9 + b"\x00",
    b"\x80" * 9 + b"\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\x00",
    b"\x0b\x0c",
    b"\x92\x00",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"\\ud800",
    b"[[[[",
    b"{{",
    b"1e999",
    b"-",
    b"null",
    b"\xef\xbb\xbf",
)


def mutated(rng: random.Random, body: bytes, others: Sequence[bytes] = ()) -> bytes:
    """*body* with one to four changes; parts of *others* may be spliced in."""
    made = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(made) + 1)
        match rng.randrange(8):
            case 0 if made:
                made[place % len(made)] = rng.randrange(256)
            case 1 if made:
                made[place % len(made)] ^= 1 << rng.randrange(8)
            case 2:
                made[place:place] = rng.choice(PIECES)
            case 3:
                made[place : place + rng.randint(1, 10)] = rng.choice(PIECES)
            case 4:
                del made[place : place + rng.randint(1, 8)]
            case 5:
                made[place:place] = rng.randbytes(rng.randint(1, 6))
            case 6:
                made[place:place] = made[place : place + rng.randint(1, 40)] * rng.randint(1, 3)
            case 7 if others:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                made[place:place] = other[start : start + rng.randint(1, 60)]
            case _:
                del made[place:]
    return bytes(made)
