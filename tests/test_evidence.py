"""How regularly does something happen? An outage teaches nothing, and a drop is no chance."""

import numpy as np
import pytest
from scipy.stats import betabinom

from collector.diagnosis.evidence import Fall, Habit, chance_of
from collector.diagnosis.expected import FOREVER
from collector.diagnosis.habits import Habits, Regularity
from collector.diagnosis.histories import History
from collector.model.wording import HOUR, MINUTE, SECOND
from tests.factories import NOW

HABITS = Habits()
START = NOW - NOW % HOUR
LEARNING, SOMETIMES, ALWAYS = Regularity.LEARNING, Regularity.SOMETIMES, Regularity.ALWAYS


class Diary:
    """A habit, and a clock that goes on by a second with each example."""

    def __init__(self, *past: bool) -> None:
        self.habit = Habit(HABITS)
        self.now = START
        self.see(*past)

    def see(self, *hits: bool, patience: int = 0) -> None:
        """Add examples of one lesson; a miss may still come within *patience* nanoseconds."""
        times = self.now + np.arange(len(hits)) * SECOND
        taken = np.array(hits, np.bool_)
        self.now += len(hits) * SECOND
        self.habit.add(times[taken], times[~taken], self.now - SECOND - patience)

    def fall_after(self, share: float, most: int, *, seed: int = 0) -> int | None:
        """How many more examples, of which *share* are hits, it takes until a drop is seen."""
        rng = np.random.default_rng(seed)
        for number in range(1, most + 1):
            self.see(bool(rng.random() < share))
            if self.habit.fall() is not None:
                return number
        return None


def some(share: float, n: int, *, seed: int = 1) -> list[bool]:
    """*n* examples, of which about *share* are hits."""
    return [bool(hit) for hit in np.random.default_rng(seed).random(n) < share]


@pytest.mark.parametrize(
    ("past", "regularity"),
    [
        ([True] * 19, LEARNING),
        ([True] * 20, ALWAYS),
        ([True] * 10 + [False] + [True] * 9, SOMETIMES),
        ([True] * 50 + [False] + [True] * 49, ALWAYS),
        ([True, False, True] * 200, SOMETIMES),
    ],
    ids=["19", "20 of 20", "19 of 20", "99 of 100", "two thirds"],
)
def test_first_examples_must_all_agree(past: list[bool], regularity: Regularity) -> None:
    """If four in five do something, 19 of 20 is not rare: chance would be taken for a rule."""
    assert Diary(*past).habit.regularity is regularity


@pytest.mark.parametrize("share", [0.3, 0.9, 0.97])
def test_branch_that_not_every_flow_takes_is_never_firm(share: float) -> None:
    """A branch that 97 % take made the other 3 % stuck, for ever."""
    diary = Diary()
    for seed in range(100):
        diary.see(*some(share, 20, seed=seed))
        assert not diary.habit.firm

    assert diary.habit.regularity is SOMETIMES
    assert diary.habit.share == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("more", "firm"), [(-1, False), (0, True)])
@pytest.mark.parametrize("misses", [0, 1])
def test_one_message_that_was_passed_over_means_something_after_many_without(
    misses: int, more: int, firm: bool
) -> None:
    past = [True] * (HABITS.firm * (misses + 1) + more)
    past[10:10] = [False] * misses

    assert Diary(*past).habit.firm is firm


def test_misses_at_the_end_are_no_examples_yet() -> None:
    """As long as nothing later was taken, the reactor may be down, and an outage teaches nothing."""
    diary = Diary(*[True] * 50)
    diary.see(*[False] * 200)

    assert (diary.habit.n, diary.habit.share) == (50, 1.0)
    assert diary.habit.recent == (199, 240)  # the last is not overdue, and 41 are older than the window


def test_miss_counts_once_a_later_message_was_taken() -> None:
    diary = Diary(*[True] * 50)
    diary.see(False)
    assert diary.habit.n == 50
    diary.see(True)

    assert (diary.habit.n, diary.habit.hits) == (52, 51)


def test_miss_counts_only_when_even_a_slow_reaction_had_come() -> None:
    """A handler that works on several messages at once takes a later one first."""
    diary = Diary(*[True] * 50)
    diary.see(False, True, patience=MINUTE)
    assert (diary.habit.n, diary.habit.hits) == (51, 51)
    diary.now += MINUTE
    diary.see(True, patience=MINUTE)

    assert (diary.habit.n, diary.habit.hits) == (53, 52)


def test_miss_waits_again_when_the_step_proves_to_be_slower() -> None:
    """What counted as a miss by yesterday's pace may only be slow by today's."""
    diary = Diary(*[True] * 50)
    diary.see(False, True)
    assert diary.habit.hits == diary.habit.n - 1
    diary.see(True, patience=MINUTE)

    assert diary.habit.hits == diary.habit.n == 52


def test_what_came_after_all_was_no_miss() -> None:
    diary = Diary(*[True] * 50)
    missed = diary.now
    diary.see(False, True)
    assert diary.habit.hits == diary.habit.n - 1
    diary.habit.came(np.array([missed]))

    assert diary.habit.hits == diary.habit.n == 52


def test_what_came_after_all_is_waited_for_no_more() -> None:
    diary = Diary(*[True] * 50)
    missed = diary.now
    diary.see(False)
    diary.habit.came(np.array([missed]))
    diary.see(True)

    assert diary.habit.hits == diary.habit.n
    assert diary.habit.missed_since == 0


@pytest.mark.parametrize("length", [3, 50, 200])
def test_run_of_misses_teaches_nothing(length: int) -> None:
    """225 good flows and a minute of an outage made a step that nobody expected any more."""
    diary = Diary(*[True] * 100)
    diary.see(*[False] * length, *[True] * 5)
    diary.see(*[True] * 5)

    assert (diary.habit.n, diary.habit.share) == (110, 1.0)
    assert diary.habit.regularity is ALWAYS


def test_runs_that_a_choice_explains_do_count() -> None:
    """Where only 30 % are taken, five misses in a row are the rule."""
    past = some(0.3, 2000)
    diary = Diary()
    for begin in range(0, 2000, 20):
        diary.see(*past[begin : begin + 20])

    assert diary.habit.share == pytest.approx(np.mean(past), abs=0.02)


def test_order_in_which_examples_are_given_changes_nothing() -> None:
    """Flows come to rest in another order after a restart than before it."""
    rng, past = np.random.default_rng(5), some(0.9, 200)
    times = START + np.arange(200) * SECOND
    taken = np.array(past)
    shuffled = rng.permutation(200)
    one, other = Habit(HABITS), Habit(HABITS)
    one.add(times[taken], times[~taken])
    other.add(times[shuffled][taken[shuffled]], times[shuffled][~taken[shuffled]])

    assert (one.n, one.hits, one.recent, one.missed_since) == (
        other.n,
        other.hits,
        other.recent,
        other.missed_since,
    )


@pytest.mark.parametrize(
    ("share", "to", "within"),
    [(1.0, 0.0, 12), (0.97, 0.0, 12), (0.9, 0.0, 13), (0.3, 0.0, 81), (0.97, 0.3, 40), (1.0, 0.8, 81)],
)
def test_collapse_is_found_within_as_few_messages_as_chance_allows(
    share: float, to: float, within: int
) -> None:
    """One message may be missed by chance, eight in a row of a step that 97 % take may not."""
    for seed in range(5):
        diary = Diary()
        for part in range(50):
            diary.see(*some(share, 20, seed=100 * seed + part))
            assert diary.habit.fall() is None
        found = diary.fall_after(to, within, seed=seed)

        assert found is not None
        fall = diary.habit.fall()
        assert fall is not None
        assert fall.share == pytest.approx(share, abs=0.05)


def test_drop_says_what_was_normal_and_since_when_it_is_not() -> None:
    diary = Diary(*[True] * 200)
    since = diary.now
    diary.see(*[False] * 21)

    assert diary.habit.fall() == Fall(share=1.0, n=200, hits=0, window=20, since=since)


def test_what_happens_during_a_drop_is_no_example_of_what_is_normal() -> None:
    """The longer an outage of a part lasts, the more normal it would become."""
    diary = Diary(*some(0.3, 600))
    before = diary.habit.share
    assert diary.fall_after(0.0, 90) is not None
    diary.see(*[False] * 2000, True, False, True)

    assert diary.habit.share == pytest.approx(before, abs=0.02)
    assert diary.habit.regularity is SOMETIMES
    assert diary.habit.fall() is not None


@pytest.mark.parametrize("share", [0.3, 0.97, 1.0])
def test_drop_ends_once_the_newest_messages_are_as_usual(share: float) -> None:
    diary = Diary(*some(share, 600))
    usual = diary.habit.share
    assert diary.fall_after(0.0, 90) is not None
    for part in range(30):
        diary.see(*some(share, 4, seed=part))
        diary.habit.fall()

    assert diary.habit.fall() is None
    assert diary.habit.share == pytest.approx(usual, abs=0.02)
    assert diary.fall_after(0.0, 90) is not None  # and the next one is found as the first was


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99])
def test_healthy_step_has_no_drop(share: float) -> None:
    """One false alarm in 10,000 days of a step at most: none in 200,000 messages over these shares."""
    diary, past = Diary(), some(share, 200_000 // 7, seed=int(share * 100))
    for begin in range(0, len(past), 7):
        diary.see(*past[begin : begin + 7])
        assert diary.habit.fall() is None, begin


def test_little_is_known_of_a_young_habit() -> None:
    """Of 60 examples no share can be told well enough to say that it dropped."""
    diary = Diary(*[True] * 60)

    assert diary.fall_after(0.0, 100) is None


@pytest.mark.parametrize("n", [100.0, 1234.5])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.97, 1.0])
def test_chance_is_that_of_the_beta_binomial_distribution(n: float, share: float) -> None:
    """That the share itself is only known from examples makes a young one less sure."""
    hits = n * share
    for window in (8, 60, 240):
        exact = betabinom(window, hits + 0.5, n - hits + 0.5)
        for found in (0, window // 3, window):
            assert chance_of(found, window, hits, n) == pytest.approx(exact.cdf(found), rel=1e-6)


def test_what_was_expected_when_a_message_was_published_is_still_owed() -> None:
    """That a step is no longer expected clears no flow that stopped before."""
    history = History(START)
    assert history.until == 0
    history.note("always", START + HOUR, "taken in 20 of 20")
    assert history.until == FOREVER
    history.note("sometimes", START + 2 * HOUR, "taken in 30 of 50")

    assert history.until == START + 2 * HOUR
    history.end()
    assert history.until == 0


def test_history_tells_each_change_once() -> None:
    history = History(START)
    for state in ("learning", "always", "always", "sometimes"):
        history.note(state, START + HOUR, state)

    assert [(one.state, one.at) for one in history.changes] == [
        ("always", START + HOUR),
        ("sometimes", START + HOUR),
    ]


def test_history_is_bounded() -> None:
    history = History(START)
    for number in range(100):
        history.note("always" if number % 2 else "sometimes", START + number, "again")

    assert len(history.changes) == 10
