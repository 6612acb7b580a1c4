"""How does a test break the disk and the clock under a running collector? By a library that is preloaded."""

import errno
import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

WRITE, SYNC, RENAME = 1, 2, 4
KINDS = {"write": WRITE, "sync": SYNC, "rename": RENAME}
ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "too large": errno.EFBIG}
_FIELDS = ("calls", "kinds", "start", "most", "number", "sync_us", "clock_s")
_SOURCE = Path(__file__).with_name("disk_and_clock.c")


def built(workspace: Path) -> Path | None:
    """The library; None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = workspace / "disk_and_clock.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Control:
    """What happens to the calls of the processes that have *environment*; it may change at any time."""

    def __init__(self, library: Path, workspace: Path, folder: Path, journal: Path | None = None) -> None:
        """*folder* is the one whose files are concerned."""
        file = workspace / "control"
        file.write_bytes(bytes(8 * len(_FIELDS)))
        self._opened = file.open("r+b")
        self._shared = mmap.mmap(self._opened.fileno(), 0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "TORTURE_CONTROL": str(file),
            "TORTURE_UNDER": str(folder),
            **({} if journal is None else {"TORTURE_JOURNAL": str(journal)}),
        }

    def _set(self, **values: int) -> None:
        for name, value in values.items():
            struct.pack_into("q", self._shared, 8 * _FIELDS.index(name), value)

    def fail(self, number: int, *, kinds: int = WRITE | SYNC | RENAME, start: int = 1, most: int = 1) -> None:
        """From now on count the calls of *kinds*; let *most* fail from the one with the number *start* on."""
        self._set(number=0)
        self._set(calls=0, kinds=kinds, start=start, most=most)
        self._set(number=number)

    def kill(self, kinds: int, start: int) -> None:
        """Kill the process before the call with the number *start*."""
        self.fail(-1, kinds=kinds, start=start)

    def heal(self) -> None:
        """Let no call fail, and all be fast."""
        self._set(number=0, sync_us=0)

    def slow(self, seconds: float) -> None:
        """Let each sync take so much longer."""
        self._set(sync_us=int(seconds * 1e6))

    def clock(self, seconds: int) -> None:
        """Set the wall clock so far forward."""
        self._set(clock_s=seconds)

    @property
    def calls(self) -> int:
        """The calls counted since `fail`."""
        (calls,) = struct.unpack_from("q", self._shared, 0)
        return int(calls)

    def close(self) -> None:
        """Give the file back."""
        self._shared.close()
        self._opened.close()
