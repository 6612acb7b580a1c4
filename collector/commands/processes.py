"""Child processes that never outlive their parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Child:
    """A running process, and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def last_words(self, lines: int = 5) -> str:
        """The last lines of its output."""
        written = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(written[-lines:])

    def stop(self, within_s: float) -> None:
        """Ask it to end; kill it if it has not ended within *within_s* seconds."""
        if self.ended is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path) -> Child:
    """Start *command*; its output goes to a file in *logs*."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own commands, no shell
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches the parent alone, which then stops the children in order.
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no threads here
        )
    return Child(name, process, log)


def end_with_parent() -> None:
    """Let the kernel end this process when its parent is gone, even if the parent was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
