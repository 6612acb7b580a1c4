"""Is anything lost when the disk fails? Kills, errors at each call, slow disks, full ones, power losses."""

import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.torture.ledgers import account, loaded, takes
from benchmarks.torture.outcomes import Outcome
from benchmarks.torture.power_loss import lose_power
from benchmarks.torture.preloading import ERRORS, KINDS, Control, built
from tests.collecting import Collector, Program
from tests.crashing import Toll, kill_again_and_again

_RESUMES_S = 10.0  # after the disk is well again


@dataclass
class Bench:
    """A collector on a disk and a clock that can be broken."""

    folder: Path
    control: Control
    collector: Collector
    toll: Toll


@contextmanager
def bench(journal: bool = False) -> Iterator[Bench]:
    """One that runs; it is stopped at the end of the context, if it still lives."""
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place).resolve()
        library = built(workspace)
        if library is None:
            raise RuntimeError("no C compiler: install gcc")
        folder = workspace / "collector"
        folder.mkdir()
        kept = workspace / "journal" if journal else None
        control = Control(library, workspace, folder / "data", kept)
        preloaded: dict[str, Any] = dict(control.environment)
        made = Bench(folder, control, Program(folder, **preloaded), Toll())
        try:
            yield made
        finally:
            if made.collector.process is not None and made.collector.process.poll() is None:
                made.collector.process.kill()
                made.collector.process.wait()
            control.close()


def kills(minutes: float, seed: int) -> Outcome:
    """Kill -9 at random moments of load."""
    rng = random.Random(seed)
    rounds = max(2, int(minutes * 60 / 4))
    with tempfile.TemporaryDirectory() as place:
        toll = kill_again_and_again(Path(place), rounds, load_s=rng.uniform(0.5, 1.5))
        found = account(Path(place), Toll(acknowledged=toll.acknowledged + toll.unanswered))
    slowest = max(toll.ready_after_s)
    return Outcome(found.is_right, f"{rounds} kills: {found}; ready again after {slowest:.1f} s at worst")


def named_kills(minutes: float, seed: int) -> Outcome:
    """Kill -9 before the n-th write, sync or rename of a running collector."""
    rng = random.Random(seed)
    points: list[str] = []
    until = time.monotonic() + minutes * 60
    with bench() as on:
        while time.monotonic() < until or len(points) < len(KINDS):
            name, kind = list(KINDS.items())[len(points) % len(KINDS)]
            at = rng.randint(1, 40)
            on.collector.start()
            on.control.kill(kind, at)
            with loaded(on.collector, on.toll, f"{len(points)}", 0):
                assert on.collector.process is not None
                if on.collector.process.wait(60) != -signal.SIGKILL:
                    return Outcome(False, f"{name} {at}: it ended by itself")
            on.control.heal()
            points.append(f"{name} {at}")
        found = account(on.folder, on.toll)
    return Outcome(found.is_right, f"{len(points)} named points: {found}")


def write_errors(minutes: float, seed: int) -> Outcome:
    """ENOSPC, EIO and EFBIG at each write, sync and rename in turn, three calls long."""
    until = time.monotonic() + minutes * 60
    at, slowest = 0, 0.0
    with bench() as on:
        on.collector.start()
        while time.monotonic() < until or at < 3:
            at += 1
            number = list(ERRORS.values())[(at + seed) % len(ERRORS)]
            on.control.fail(number, start=at, most=3)
            with loaded(on.collector, on.toll, f"{at}", 0.3):
                patience = time.monotonic() + 5
                while on.control.calls < at + 3 and time.monotonic() < patience:
                    time.sleep(0.02)
            on.control.heal()
            if on.control.calls < at:
                return Outcome(False, f"call {at} never came: was anything broken?")
            took = takes(on.collector, on.toll, f"{at}.after", _RESUMES_S)
            if took is None:
                return Outcome(False, f"call {at}: it takes nothing {_RESUMES_S:.0f} s after the error")
            slowest = max(slowest, took)
        ready = on.collector.get("/readyz").status_code  # may be 503 until the next probe, within a minute
        ended = on.collector.stop()
        found = account(on.folder, on.toll)
    said = f"{at} calls: {found}; takes spans again after {slowest:.2f} s at worst"
    said += f"; ended with {ended}, readyz {ready}"
    return Outcome(found.is_right and ended == 0, said)


def full_disk(minutes: float, seed: int) -> Outcome:
    """No write has space for some seconds; reads go on, and it takes spans again."""
    with bench() as on:
        on.collector.start()
        with loaded(on.collector, on.toll, "before", 0.5):
            pass
        refused_before = len(on.toll.unanswered)
        on.control.fail(ERRORS["full"], most=2**62)
        with loaded(on.collector, on.toll, "full", max(2.0, minutes * 60 / 4)):
            reads = [on.collector.get("/api/v1/summary").status_code for _ in range(5)]
        refused = len(on.toll.unanswered) - refused_before
        on.control.heal()
        took = takes(on.collector, on.toll, "after", _RESUMES_S)
        ended = on.collector.stop()
        found = account(on.folder, on.toll)
    well = found.is_right and took is not None and set(reads) == {200} and ended == 0 and refused > 0
    after = "never" if took is None else f"{took:.2f} s"
    return Outcome(
        well, f"{found}; {refused} requests refused meanwhile, reads {set(reads)}, resumes after {after}"
    )


def slow_disk(minutes: float, seed: int) -> Outcome:
    """Each sync takes 200 ms longer: it slows senders down and loses nothing, in bounded memory."""
    with bench() as on:
        on.collector.start()
        on.control.slow(0.2)
        with loaded(on.collector, on.toll, "slow", max(3.0, minutes * 60)):
            pass
        on.control.heal()
        took = takes(on.collector, on.toll, "after", _RESUMES_S)
        assert on.collector.process is not None
        peak = _peak(on.collector.process.pid)
        ended = on.collector.stop()
        found = account(on.folder, on.toll)
    well = found.is_right and took is not None and peak < 1_500 and ended == 0
    return Outcome(well, f"{found}; peak {peak:,} MB, then {took or -1:.2f} s for a request")


def power_losses(minutes: float, seed: int) -> Outcome:
    """Kill -9, and what was written and not yet synced is lost, or torn."""
    rng = random.Random(seed)
    until = time.monotonic() + minutes * 60
    rounds, cut = 0, 0
    with bench(journal=True) as on:
        while time.monotonic() < until or rounds < 2:
            on.collector.start()
            with loaded(on.collector, on.toll, f"{rounds}", 0):
                time.sleep(rng.uniform(0.3, 1.0))
                on.collector.stop(signal.SIGKILL)
            journal = Path(on.control.environment["TORTURE_JOURNAL"])
            cut += lose_power(on.folder / "data", journal, rng)
            rounds += 1
        found = account(on.folder, on.toll)
    return Outcome(found.is_right and cut > 0, f"{rounds} power losses, {cut:,} files cut: {found}")


def clock_steps(minutes: float, seed: int) -> Outcome:
    """The wall clock goes an hour forward and back, under load."""
    with bench() as on:
        on.collector.start()
        worst = 0.0
        for number, step in enumerate((0, 3_600, 0, -3_600, 0, 86_400, -86_400)):
            on.control.clock(step)
            before = _tick(on.collector)
            with loaded(on.collector, on.toll, f"{number}", max(0.3, minutes * 60 / 7)):
                started = time.monotonic()
                while _tick(on.collector) == before and time.monotonic() - started < 20:
                    time.sleep(0.1)
                worst = max(worst, time.monotonic() - started)
        stuck = on.collector.ask("/stuck")["total"]
        well = on.collector.get("/readyz").status_code == 200
        ended = on.collector.stop()
        found = account(on.folder, on.toll)
    said = f"{found}; {stuck} false alarms; {worst:.1f} s at worst until the next tick"
    return Outcome(found.is_right and well and ended == 0 and stuck == 0 and worst < 20, said)


def _tick(collector: Collector) -> int:
    return int(collector.ask("/summary")["tick_unix_nano"])


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


PARTS: dict[str, Callable[[float, int], Outcome]] = {
    "kills": kills,
    "named-kills": named_kills,
    "write-errors": write_errors,
    "full-disk": full_disk,
    "slow-disk": slow_disk,
    "power-losses": power_losses,
    "clock-steps": clock_steps,
}
