"""Is the fast decoder of protobuf there? It is compiled once on each machine, and loaded by each process.

Until then, and where that is impossible, bodies are decoded as they always were, which takes three times as
long and returns the same. Compiling takes many seconds and a hundred megabytes, so a process of its own does
that, while this one already takes requests.
"""

import logging
import subprocess
import sys
from threading import Lock, Thread

from collector.formats.otlp import scanning

_COMPILE = "from collector.formats.otlp import scanning; scanning.prepare()"
_LONGEST_S = 600
_LOAD_S = 3  # loading takes half a second

log = logging.getLogger(__name__)


class Compiling:
    """Compiles the decoder, or only loads it, in a thread that nobody has to wait for."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._lock = Lock()
        self._over = False
        self._thread = Thread(target=self._load, name="compile", daemon=True)

    def begin(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when the decoder is there, or cannot be had, or after *timeout_s*."""
        self._thread.join(timeout_s)

    def end(self) -> None:
        """Stop it: it must leave no process behind, nor load anything while Python ends."""
        with self._lock:
            self._over = True
            if self.process is not None:
                self.process.kill()
        self.wait(_LOAD_S)

    def _load(self) -> None:
        try:
            if not scanning.can_compile() or scanning.load():
                return
            why = self._compile()
            if not why and not scanning.load():
                why = "its compiled form is not found again"
        except Exception as error:  # whatever it is: there is another decoder
            why = str(error)
        if why and not self._over:
            _warn(why)

    def _compile(self) -> str:
        """Compile it in a process of its own; return why that failed, or nothing."""
        with self._lock:
            if self._over:
                return ""
            command = [sys.executable, "-c", _COMPILE]
            self.process = subprocess.Popen(  # noqa: S603  # our own words
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        with self.process as process:
            try:
                _, errors = process.communicate(timeout=_LONGEST_S)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"it took more than {_LONGEST_S} s"
        return errors.strip().rpartition("\n")[2] if process.returncode else ""


def _warn(why: str) -> None:
    log.warning(
        "Protobuf is decoded more slowly, as the faster decoder could not be compiled or kept (%s)."
        " If no folder for it can be written, set NUMBA_CACHE_DIR to one.",
        why,
    )
