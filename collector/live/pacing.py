"""How patient is the live part, and how much does it hold?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pacing:
    """How patient the live part is, in seconds, and how much it holds."""

    quiet_s: float = 3.0  # a flow is at rest after this long without a span, or three times the usual pace
    quiet_most_s: float = 600.0
    unsure_s: float = 60.0  # flows about which too little is known wait this long for others like them
    # After a longer gap between ticks, telemetry may have been lost: exporters give up after ten seconds.
    pause_s: float = 10.0
    # Beyond this, the flows without a span for longest are evicted early, stuck ones last. About 2 KB each.
    most_spans: int = 250_000
    most_flow_spans: int = 100_000  # a larger flow is not a business run: its key is something shared

    def least_quiet_s(self, spans: int) -> float:
        """How long a flow must be silent at least to be at rest, while so many *spans* are held.

        It is less the less room there is: else the flows of a flood would be evicted before they come to
        rest, and nothing would ever be learned from them.
        """
        room = 2 * (1 - spans / self.most_spans)  # in the second half of the memory
        return self.quiet_s * min(max(room, 0.0), 1.0)
