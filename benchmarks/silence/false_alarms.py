"""How often is a healthy share said to have dropped, and how soon is a collapse found?

    python -m benchmarks.silence.false_alarms

It prints the table of docs/diagnosis.md. Each window of w examples is looked at every w/8 examples. It raises
a false alarm with the probability of the largest number of hits that is improbable enough. The sum is a
bound, as windows overlap; `--simulate` counts alarms at a threshold that is high enough to see some.
"""

import click
import numpy as np

from collector.diagnosis.evidence import _WINDOWS, Habit, chance_of
from collector.diagnosis.habits import Habits
from collector.model.wording import SECOND

SHARES = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)
A_DAY = (1_000, 10_000, 30_000, 100_000)
TRIALS = 200  # collapses of each share


def bound(share: float, habits: Habits) -> float:
    """The probability of a false alarm per example, at most, if *share* is known from a full window."""
    n, total = habits.window, 0.0
    for window in _WINDOWS:
        tails = (chance_of(hits, window, share * n, n) for hits in range(round(share * window)))
        total += max((tail for tail in tails if tail < habits.chance), default=0.0) / max(window // 8, 1)
    return total


def collapse(share: float, habits: Habits, rng: np.random.Generator) -> int | None:
    """How many messages after a total collapse the drop is told; None if not within 1,000."""
    habit = Habit(habits)
    habit.add_settled(np.arange(habits.window) * SECOND, rng.random(habits.window) < share)
    habit.fall()
    for missed in range(1, 1_000):
        habit.add_settled(np.array([(habits.window + missed) * SECOND]), np.zeros(1, np.bool_))
        if habit.fall() is not None:
            return missed
    return None


def told(share: float, habits: Habits, rng: np.random.Generator) -> str:
    """How many messages collapses take to be found."""
    taken = [collapse(share, habits, rng) for _ in range(TRIALS)]
    found = [one for one in taken if one is not None]
    if not found:
        return "never"
    never = f"; {TRIALS - len(found)} of {TRIALS} not at all" if len(found) < TRIALS else ""
    return f"{np.median(found):.0f} messages, {max(found)} at worst{never}"


def alarms(share: float, habits: Habits, examples: int, rng: np.random.Generator) -> float:
    """False alarms per example, counted in a simulation."""
    begun, judged, fallen = 0, 0, False
    habit = Habit(habits)
    for at, hit in enumerate(rng.random(examples) < share):
        habit.add_settled(np.array([at * SECOND]), np.array([hit]))
        now = habit.fall() is not None
        judged += not fallen
        begun += now and not fallen
        fallen = now
    return begun / judged


def days(probability: float, a_day: int) -> str:
    """Days per false alarm at *a_day* examples a day."""
    return f"{1 / (probability * a_day):,.0f}" if probability else "never"


@click.command()
@click.option("--simulate", is_flag=True, help="Count alarms at a threshold of 1 in 1,000, beside the bound.")
@click.option("--seed", default=7, show_default=True)
def main(simulate: bool, seed: int) -> None:
    """Print the table."""
    rng, habits = np.random.default_rng(seed), Habits()
    if simulate:
        loose = Habits(chance=1e-3)
        print("| share | bound | counted |\n|---|---|---|")
        for share in SHARES[1:]:
            counted = alarms(share, loose, 100_000, rng)
            print(f"| {share:.0%} | {bound(share, loose):.1e} | {counted:.1e} |")
        return
    columns = " | ".join(f"{a_day:,} a day" for a_day in A_DAY)
    print(f"| share | bound per example | {columns} | total collapse found after |")
    print("|---|---|" + "---|" * (len(A_DAY) + 1))
    for share in SHARES:
        p = bound(share, habits)
        cells = " | ".join(days(p, a_day) for a_day in A_DAY)
        print(f"| {share:.0%} | {p:.1e} | {cells} | {told(share, habits, rng)} |")
    worst = max(bound(share / 1_000, habits) for share in range(1, 1_001))
    print(f"Whatever the share, at most {worst:.1e} an example: {days(worst, 1_000)} days at 1,000 a day")


if __name__ == "__main__":
    main()
