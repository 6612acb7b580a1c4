"""Which flows are dismissed at this moment, by whom and why?

A dismissal is about a flow as it stood: once a later span of it has arrived, it holds no more. It changes no
state: it is laid over what is stuck.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, find
from collector.columns.keys import Keys, text_keys
from collector.live.snapshot import Snapshot
from collector.model import answers
from collector.model.dismissals import STANDING, Dismissal
from collector.model.flows import State
from collector.queries.kept import Kept

_NO_KEYS: Keys = np.empty(0, np.uint64)
_NONE: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Dismissed:
    """The newest word on each flow. *keys* ascend; *until* and *at* are parallel."""

    keys: Keys = field(default_factory=lambda: _NO_KEYS)
    until: Ints = field(default_factory=lambda: _NONE)
    at: Ints = field(default_factory=lambda: _NONE)
    said: dict[int, Dismissal] = field(default_factory=dict)  # by the time of the word
    _masks: Kept[Mask] = field(default_factory=Kept)

    def among(self, ids: pa.ChunkedArray, received: Ints, state: Ints) -> Mask:
        """Which of the flows with these ids, last arrivals and states are dismissed."""
        if not len(self.keys) or not len(ids):
            return np.zeros(len(ids), np.bool_)
        found: Mask = state >= State.STUCK
        found[found] = self._until(text_keys(ids.filter(pa.array(found)))) >= received[found]
        return found

    def of(self, flow: str, received: int, state: int) -> answers.Dismissed | None:
        """Who dismissed this flow, when and why; None if it is not dismissed."""
        if not len(self.keys) or state < State.STUCK:
            return None
        place = int(find(self.keys, text_keys(pa.array([flow])))[0])
        if place < 0 or self.until[place] < received:
            return None
        one = self.said[int(self.at[place])]
        return answers.Dismissed(
            time_unix_nano=one.at, author=one.author, reason=one.reason, incident=one.incident or None
        )

    def hidden(self, snapshot: Snapshot) -> Mask:
        """Which flows of *snapshot* are dismissed; computed once for all who ask."""
        received = np.asarray(snapshot.flows["received"].to_numpy())
        return self._masks.get(snapshot, lambda: self.among(snapshot.flows["id"], received, snapshot.state))

    @property
    def any(self) -> bool:
        """Whether any flow may be dismissed."""
        return bool((self.until >= 0).any())

    def _until(self, keys: Keys) -> Ints:
        """Until when each flow is dismissed; -1 for never."""
        return np.append(self.until, -1)[find(self.keys, keys)]


NOTHING_DISMISSED = Dismissed()


def dismissed_of(standing: pa.Table, said: Sequence[Dismissal]) -> Dismissed:
    """What is dismissed by the words *said*, of which *standing* (STANDING) has the newest on each flow."""
    assert standing.schema == STANDING
    keys = text_keys(standing["flow"])
    order = np.argsort(keys)
    until, at = (np.asarray(standing[name].to_numpy())[order] for name in ("until", "at"))
    return Dismissed(keys[order], until, at, {one.at: one for one in said})
