"""Who answers large questions? A process that is started when needed, and ended when nobody waits for it."""

import contextlib
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from collector.formats import FormatError
from collector.queries.errand import Errand, GivenUpError
from collector.queries.jobs import JOB_S, Refused
from collector.web.bodies import BodyError, TooLargeError

_IDLE_S = 60  # after which a process ends: it holds a hundred megabytes
_MIB = 1024 * 1024
# One thread of compiled code is enough, and Arrow's own allocator would reserve more memory than it may have.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_ERRORS = {"BodyError": BodyError, "TooLargeError": TooLargeError}


log = logging.getLogger(__name__)


class ApartError(Exception):
    """A large question that was not answered; the text says why, and what to do."""


class _Worker:
    """A process that answers one question after the other."""

    def __init__(self, memory: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  # our own interpreter, and two numbers
                [sys.executable, "-m", "collector.queries.apart", str(theirs.fileno()), str(memory)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # compiled parts print pages if memory ends
                env={**os.environ, **_ENVIRONMENT},
            )
        self.other = Connection(ours.detach())

    def end(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.other.close()


class Workers:
    """At most *most* processes, each with at most *memory* bytes. `ask` may be called from any thread."""

    def __init__(self, memory: int, most: int = 1, idle_s: float = _IDLE_S) -> None:
        self._memory, self._idle_s = memory, idle_s
        self._free = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, _Worker]] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def ask(self, name: str, job: Any, errand: Errand) -> bytes | None:
        """The answer to *job*, of the kind *name* of `jobs.JOBS`; None if there is none.

        Raise what the job raises, `ApartError` if it needs too much memory or time, `GivenUpError` if nobody
        waits any more.
        """
        while not self._free.acquire(timeout=0.1):
            errand.check()
        try:
            with self._worker(errand) as worker:
                worker.other.send_bytes(pickle.dumps((name, job), protocol=pickle.HIGHEST_PROTOCOL))
                if not worker.other.poll(JOB_S):
                    raise ApartError(f"The answer takes longer than {JOB_S} s: ask for less.")
                answer = worker.other.recv_bytes()
        finally:
            self._free.release()
        return _opened(answer, self._memory)

    def pids(self) -> list[int]:
        """The processes that wait for work."""
        with self._lock:
            return [worker.process.pid for _, worker in self._idle]

    def end_idle(self) -> None:
        """End the processes that had nothing to do for a while."""
        self._end(time.monotonic() - self._idle_s)

    def close(self) -> None:
        """End all processes, also those that are at work."""
        with self._lock:
            self._closed = True
            for worker in self._busy:
                worker.process.kill()
        self._end(float("inf"))

    def _end(self, before: float) -> None:
        with self._lock:
            old = [worker for since, worker in self._idle if since <= before]
            self._idle = [one for one in self._idle if one[0] > before]
        for worker in old:
            worker.end()

    @contextlib.contextmanager
    def _worker(self, errand: Errand) -> Iterator[_Worker]:
        with self._lock:
            worker = self._idle.pop()[1] if self._idle else None
        if worker is not None and worker.process.poll() is not None:
            worker.end()
            worker = None
        worker = worker or _Worker(self._memory)
        with self._lock:
            self._busy.add(worker)
        try:
            if self._closed:
                raise GivenUpError
            with errand.stopped_by(worker.process.kill):
                yield worker
        except (EOFError, OSError) as error:
            worker.end()
            errand.check()  # it is we who killed it
            log.warning("The process for large questions ended with %s", worker.process.returncode)
            raise ApartError(too_large(self._memory)) from error
        except BaseException:
            worker.end()
            raise
        finally:
            with self._lock:
                self._busy.discard(worker)
        with self._lock:
            kept = not self._closed
            if kept:
                self._idle.append((time.monotonic(), worker))
        if not kept:
            worker.end()


def too_large(memory: int) -> str:
    """That an answer needs more than *memory* bytes, and what to do."""
    limit = f"the {memory // _MIB:,} MiB of CHOREOSCOPE_WORKER_MEMORY_BYTES"
    return f"The answer needs more than {limit}: ask for less, or allow more."


def _opened(answer: bytes, memory: int) -> bytes | None:
    if answer[:1] == b"+":
        return memoryview(answer)[1:].tobytes()
    if answer[:1] == b"0":
        return None
    why = msgspec.json.decode(memoryview(answer)[1:], type=Refused)
    if why.kind == "format":
        raise FormatError(why.text, why.line, why.lines)
    if why.kind in _ERRORS:
        raise _ERRORS[why.kind](why.text)
    raise ApartError(too_large(memory))


__all__ = ["ApartError", "GivenUpError", "Workers"]
