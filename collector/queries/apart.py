"""The process in which large questions are answered: `python -m collector.queries.apart FD MEMORY`.

It has Python's lock to itself, so that ingest and health go on, its memory is limited, and it can be killed.
It reads jobs from the socket FD, one after the other, and ends when the other side does.
"""

import os
import pickle
import resource
import signal
import sys
from multiprocessing.connection import Connection

import pyarrow as pa

from collector import allocator
from collector.queries.jobs import JOB_S, answered, refused


def main(fd: int, memory: int) -> None:
    """Answer jobs until the other side of *fd* closes; take at most about *memory* bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the collector decides when we end
    os.nice(5)
    allocator.count_exactly()
    pa.set_cpu_count(1)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(fd) as other:
        while True:
            try:
                name, job = pickle.loads(other.recv_bytes())  # noqa: S301  # from the process that started us
                signal.alarm(JOB_S)  # also if that process dies meanwhile
                other.send_bytes(answered(name, job))
                job = None
                signal.alarm(0)
            except (EOFError, OSError):
                return
            except MemoryError:  # the job itself does not fit
                other.send_bytes(refused("memory", ""))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
