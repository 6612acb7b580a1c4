"""Are compressed bodies read as zlib reads them?"""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.bodies import BodyError, inflate
from tests.mutating import mutated


@pytest.mark.parametrize(("coding", "window"), [("gzip", zlib.MAX_WBITS | 16), ("deflate", zlib.MAX_WBITS)])
@given(rng=st.randoms(use_true_random=False))
def test_a_broken_stream_is_read_or_refused_as_by_zlib(coding: str, window: int, rng: random.Random) -> None:
    """What is accepted does not depend on which library is the fastest."""
    content = b"".join(b"span %d " % rng.randrange(1_000) for _ in range(50))
    body = mutated(rng, gzip.compress(content) if coding == "gzip" else zlib.compress(content))

    stream = zlib.decompressobj(window)
    try:
        expected = stream.decompress(body)
        is_whole = stream.eof and not stream.unused_data
    except zlib.error:
        is_whole = False

    if is_whole:
        assert inflate(body, coding, 2**20) == expected
    else:
        with pytest.raises(BodyError):
            inflate(body, coding, 2**20)
