"""Was this machine's clock set? A round keeps our clock's mark, and says how far the two are apart."""

from collector.model.troubles import TroubleKind
from collector.steady_clock import SteadyClock, told
from collector.upkeep.health import Troubles


def keep_time(clock: SteadyClock, troubles: Troubles) -> None:
    """Keep the mark of *clock*; report to *troubles* if the wall clock is seconds away from it."""
    clock.keep()
    if (text := told(clock.off)) is not None:
        troubles.report(TroubleKind.CLOCK_SET, text)
    else:
        troubles.over(TroubleKind.CLOCK_SET)
