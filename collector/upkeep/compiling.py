"""Is the fast decoder of protobuf there? It is compiled once on each machine, and loaded by each process.

Until then, and where that is impossible, bodies are decoded as they always were, which takes three times as
long and returns the same. Compiling takes many seconds and a hundred megabytes, so a process of its own does
that, while this one already takes requests.
"""

import logging
import subprocess
import sys
from threading import Thread

from collector.formats.otlp import scanning

_COMPILE = "from collector.formats.otlp import scanning; scanning.prepare()"
_LONGEST_S = 600

log = logging.getLogger(__name__)


def begin() -> Thread:
    """Compile the decoder, or only load it, in a thread that nobody has to wait for."""
    thread = Thread(target=_load, name="compile", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    try:
        if scanning.can_compile() and not scanning.load():
            command = [sys.executable, "-c", _COMPILE]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LONGEST_S)  # noqa: S603  # our own words
            if not scanning.load():
                raise OSError("its compiled form is not found again")
    except subprocess.CalledProcessError as error:
        _warn(error.stderr.strip().rpartition("\n")[2])
    except Exception as error:  # whatever it is: there is another decoder
        _warn(str(error))


def _warn(why: str) -> None:
    log.warning(
        "Protobuf is decoded more slowly, as the faster decoder could not be compiled or kept (%s)."
        " If no folder for it can be written, set NUMBA_CACHE_DIR to one.",
        why,
    )
