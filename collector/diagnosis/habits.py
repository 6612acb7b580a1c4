"""When does what was seen become a habit, and when does a miss mean something? The thresholds."""

from dataclasses import dataclass
from enum import IntEnum


class Regularity(IntEnum):
    """How regularly does something happen when it could?"""

    LEARNING = 0  # too few examples to say
    SOMETIMES = 1  # a stable share: one miss means nothing, a change of the share does
    ALWAYS = 2  # a miss means something


@dataclass(frozen=True)
class Habits:
    """The thresholds of habits. The defaults suit flows that take seconds as well as weeks."""

    flows: int = 20  # fewer examples prove nothing, and the first ones must all agree
    missed_share: float = 0.01  # a step that leaves out more than this has a choice
    # As many hits for each miss, and for one miss more, make it firm: then a single flow that was passed over
    # is stuck. Before, it is taken for a choice, unless it is one of a run. Of 500 branches that 97 of 100
    # flows take, one begins with so many hits in a row.
    firm: int = 200
    run: int = 3  # as many misses in a row are no choice: nothing was taken for a while
    sources: float = 0.95  # of an event type's messages: what causes as many is its only source
    rare: float = 0.02  # below that, it is an accident
    deadline_factor: float = 3.0  # times the p99: most that is merely slow arrives before it
    long_factor: float = 1.25  # but no more than so many times the p99, and an hour
    long_slack_ms: float = 3_600_000.0
    deadline_floor_ms: float = 5_000.0  # a p99 of milliseconds does not allow for a pause of the machine
    # Many times the median, and long for a machine, is not the usual pace: a service was slow, or caught up.
    # Such examples are believed only if they go on for long, or one outage would hide the next.
    odd_factor: float = 10.0
    odd_floor_ms: float = 1_000.0
    window: int = 1_000  # percentiles and shares are taken over about this many of the newest examples
    # If odd or overdue examples occur in this many of the 60 newest minutes, they are no longer late: that is
    # the new pace. Catching up after an outage takes fewer.
    slow_minutes: int = 10
    # A share has dropped when chance explains it with a lower probability. At 5,000 messages a day that is at
    # most one false alarm in 10,000 days, whatever the share (docs/diagnosis.md has the table).
    chance: float = 1e-8
    baseline: int = 100  # examples before the drop; fewer do not say what is normal
    disused_s: float = 86_400.0  # the page asks about what was missed, and never seen, for a day
    forgotten_s: float = 7 * 86_400.0  # and after a week it is expected no more
    taken_over: int = 20  # as many messages in a row that another service handled instead: it has replaced it
    most_steps: int = 4_000  # beyond it (if a system puts ids into event types) the rarest are evicted
