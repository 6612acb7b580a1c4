"""Are large questions answered in a process of their own, that can be stopped and has a limit?"""

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from collector.conventions import DEFAULT_NAMING
from collector.formats import FormatError
from collector.queries import ApartError, Errand, GivenUpError, Part, Workers
from collector.queries.file_answer import FileJob, file_answer
from collector.stitching import BELIEVED
from collector.web.bodies import TooLargeError

MIB = 1024 * 1024
FILE = (Path(__file__).parent / "recorded" / "shop-03.binpb").read_bytes()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process, with as little memory as may be set."""
    started = Workers(256 * MIB)
    yield started
    started.close()


def job(file: bytes, most: int = 512 * MIB) -> FileJob:
    """The question for the graph of *file*."""
    return FileJob(file, most, 0, DEFAULT_NAMING, BELIEVED, Part())


def test_answer_is_the_same_as_it_would_be_here(workers: Workers) -> None:
    assert workers.ask("file", job(FILE), Errand()) == msgspec.json.encode(file_answer(job(FILE)))


def test_what_cannot_be_answered_says_why(workers: Workers) -> None:
    with pytest.raises(FormatError, match="nonsense"):
        workers.ask("file", job(b"nonsense"), Errand())
    with pytest.raises(TooLargeError, match="1,000 bytes"):
        workers.ask("file", job(gzip.compress(FILE), most=1_000), Errand())


def test_process_with_too_little_memory_says_so_and_the_next_question_is_answered(workers: Workers) -> None:
    """A file of 64 MiB may need gigabytes: the collector must not be what runs out of memory."""
    huge = gzip.compress(b'{"resourceSpans":[' + b"[" * (300 * MIB))

    with pytest.raises(ApartError, match="256 MiB of CHOREOSCOPE_WORKER_MEMORY_BYTES"):
        workers.ask("file", job(huge), Errand())

    assert workers.ask("file", job(FILE), Errand())


def test_process_is_killed_once_nobody_waits(workers: Workers) -> None:
    """Who leaves must not keep a processor busy."""
    roomy = Workers(1024 * MIB)
    roomy.ask("file", job(FILE), Errand())
    (process,) = roomy.pids()
    errand = Errand()
    threading.Timer(0.2, errand.give_up).start()
    began = time.monotonic()

    with pytest.raises(GivenUpError):
        roomy.ask("file", job(b'{"name": "work"}\n' * 1_000_000), errand)

    assert time.monotonic() - began < 20
    assert process not in roomy.pids()
    roomy.close()


def test_idle_process_ends(workers: Workers) -> None:
    """It holds a hundred megabytes that somebody else may need."""
    workers.ask("file", job(FILE), Errand())
    assert workers.pids()
    workers._idle_s = 0

    workers.end_idle()

    assert workers.pids() == []
