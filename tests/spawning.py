"""How does a test start our programs soon? As forks of a process that has imported them already.

What a collector imports takes two seconds of processor time, and the suite starts more than a hundred of
them, and as many commands. `python -m collector` and `choreoscope` themselves are started where a test is
about that.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Protocol

_COMMANDS = ("caring", "imports", "reading", "stitch", "sweeping")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["collector.__main__", *(f"collector.commands.{name}" for name in _COMMANDS)])


class Running(Protocol):
    """A process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most *timeout* seconds, and return its exit code."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """Kill it."""


class Fork:
    """A running program of ours."""

    def __init__(
        self,
        program: Callable[[], None],
        words: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: Path = Path(os.devnull),
        stdout: Path,
        stderr: Path,
    ) -> None:
        """Run *program* with *words* in a process with *environment*; it appends what it says to files."""
        for file in (stdout, stderr):
            file.touch()
        files = (str(stdin), str(stdout), str(stderr))
        given = (program, list(words), dict(environment), files, str(Path.cwd()))
        self._process = _FORKS.Process(target=_become, args=given, daemon=True)
        with _no_main():
            self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most *timeout* seconds, and return its exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def ended(
    program: Callable[[], None],
    *words: str,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    within_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run *program* with *words* to its end, with *given* as its input; its output is decoded."""
    with TemporaryDirectory() as folder:
        stdin, stdout, stderr = (Path(folder) / name for name in ("in", "out", "errors"))
        stdin.write_bytes(given)
        files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        process = Fork(program, words, os.environ if environment is None else environment, **files)
        code = process.wait(within_s)
        said, errors = stdout.read_bytes().decode(), stderr.read_bytes().decode()
        return subprocess.CompletedProcess([program.__name__, *words], code, said, errors)


def collect() -> None:
    """`python -m collector`."""
    from collector.__main__ import main

    sys.exit(main())


def call() -> None:
    """`choreoscope`."""
    from collector.commands import main

    main()


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Keep multiprocessing from running the main module in the new process: Streamlit's tests set theirs."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _become(
    program: Callable[[], None],
    words: list[str],
    environment: dict[str, str],
    files: tuple[str, str, str],
    folder: str,
) -> None:
    for stream, name in enumerate(files):
        file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT if stream else os.O_RDONLY, 0o600)
        os.dup2(file, stream)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # multiprocessing closed it
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *words]
    try:
        program()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
