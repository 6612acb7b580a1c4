"""Does a folder open again, whatever call fails while its tables are made or changed?

    python -m benchmarks.torture.faults [--kinds full,kill,broken] [--every 1]

For each call of the first start, and of the start that migrates a folder of an older version, a process
opens a folder and that call fails, with all that follow: the disk is full, the disk is broken, or the
process is killed. Then the folder is opened without a fault, and must hold what it held.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = ("full", "kill", "broken")
# Undoes what older versions did not have yet.
OLDER = (
    "ALTER TABLE message_ids DROP COLUMN stored_unix_nano",
    "ALTER TABLE flows DROP COLUMN begun",
    "DROP TABLE decisions",
    "DROP TABLE settings",
    "ALTER TABLE flows DROP COLUMN stuck_from",
    "ALTER TABLE flows DROP COLUMN names",
)
# A process that opens a folder, does what it is told to, and prints the number of spans, or why it failed.
_SCRIPT = f"""
import sys
from pathlib import Path
from collector.store.contracts import OpenError, StoreError
from collector.store.open import open_store
from tests.factories import request, span, table
folder, does = Path(sys.argv[1]), sys.argv[2:]
try:
    opened = open_store(folder, 2**29)
    spans = opened.stores().spans
    if "write" in does:
        spans.write(table(request(span(id="a"))))
    print(spans.span_count())
    for statement in {OLDER!r} if "older" in does else []:
        spans._database.execute(statement)
    opened.close()
    if "older" in does:
        (folder / "tables.json").unlink()
        (folder / "schema-version").unlink()
except (OpenError, StoreError) as error:
    print(f"refused: {{error}}")
"""


@dataclass(frozen=True)
class Fault:
    """What a failing call did."""

    scene: str  # "new": the first start; "older": a migration
    kind: str
    at: int
    said: str  # by the process in which it failed; empty if that was killed
    later: str  # by the next one

    @property
    def is_well(self) -> bool:
        """Whether the folder was usable, or clearly refused; and is usable again with everything in it."""
        spans = "1" if self.scene == "older" else "0"
        said = self.said in (spans, "") or (self.said.startswith("refused: ") and "\n" not in self.said)
        return said and self.later == spans


def built(workspace: Path) -> Path | None:
    """The library that makes calls fail; None without a compiler, or without what it needs."""
    library = workspace / "failing_calls.so"
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-o",
        str(library),
        str(Path(__file__).with_suffix("").parent / "failing_calls.c"),
        "-ldl",
    ]
    return None if subprocess.run(command, capture_output=True, check=False).returncode else library


def opened(folder: Path, *does: str, **environment: str) -> str:
    """What a process says that opens *folder*; a traceback is the end of what it says."""
    command = [sys.executable, "-c", _SCRIPT, str(folder), *does]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    return done.stdout.strip() + ("" if done.returncode in (0, -9) else f"\n{done.stderr.strip()[-300:]}")


def prepared(workspace: Path, scene: str) -> Path:
    """A folder for *scene*, to be copied."""
    folder = workspace / scene
    if scene == "older":
        opened(folder, "write", "older")
    else:
        folder.mkdir()
    return folder


def calls(library: Path, folder: Path, workspace: Path) -> int:
    """How many calls change files when a copy of *folder* is opened."""
    return _run(library, folder, workspace, "full", 10**9)[1]


def fault(library: Path, scene: str, folder: Path, workspace: Path, kind: str, at: int) -> Fault:
    """Let the call number *at*, and all after it, fail in a copy of *folder*."""
    said, _ = _run(library, folder, workspace, kind, at)
    return Fault(scene, kind, at, said, opened(workspace / "copy"))


def _run(library: Path, folder: Path, workspace: Path, kind: str, at: int) -> tuple[str, int]:
    copy, log = workspace / "copy", workspace / "calls"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, symlinks=True)
    said = opened(
        copy,
        LD_PRELOAD=str(library),
        FAULT_UNDER=str(copy),
        FAULT_KIND=kind,
        FAULT_AT=str(at),
        FAULT_LOG=str(log),
    )
    return said, int(log.read_text()) if log.exists() else 0


def faults(library: Path, workspace: Path, kinds: tuple[str, ...], every: int) -> Iterator[Fault]:
    """All faults, or each *every*-th."""
    for scene in ("older", "new"):
        folder = prepared(workspace, scene)
        for kind in kinds:
            for at in range(1, calls(library, folder, workspace) + 1, every):
                yield fault(library, scene, folder, workspace, kind, at)


def main() -> int:
    """Run the faults, and return 1 if a folder was lost or an error was no clear line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args()
    started, counted = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place).resolve()
        library = built(workspace)
        if library is None:
            print("no compiler: nothing was tried")
            return 2
        for one in faults(library, workspace, tuple(chosen.kinds.split(",")), chosen.every):
            counted[f"{one.scene}, {one.kind}: {'well' if one.is_well else 'FAILED'}"] += 1
            if not one.is_well:
                print(
                    f"{one.scene}, {one.kind} at {one.at}: {one.said[:400]!r}, later {one.later[:600]!r}",
                    flush=True,
                )
    for what, count in sorted(counted.items()):
        print(f"{what}: {count}")
    print(f"{counted.total()} faults in {time.monotonic() - started:.0f} s")
    return int(any("FAILED" in what for what in counted))


if __name__ == "__main__":
    sys.exit(main())
