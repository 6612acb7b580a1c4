"""Spans that are connected to no message so far, and what would connect them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints
from collector.columns.keys import Keys
from collector.live.chunk import asked_of
from collector.model.readings import Role


@dataclass(frozen=True, eq=False)
class Loose:
    """Spans that came together. A message below one of them, or whose id it asks for, may still come."""

    rows: pa.Table
    identifiers: Keys
    place: Ints  # the row of each identifier
    kept_until: int

    @cached_property
    def asking(self) -> tuple[Keys, Ints]:
        """(id of a message, row) for polls that name what they returned: reactions to nothing yet."""
        polls = np.flatnonzero(self.rows["role"].to_numpy() == Role.RECEIVE)
        if not len(polls):
            return self.identifiers[:0], polls
        keys, place = asked_of(self.rows.take(pa.array(polls)))
        return keys, polls[place]

    def of(self, rows: Ints) -> Keys:
        """The identifiers of *rows*."""
        return self.identifiers[np.isin(self.place, rows)]

    def asked_at(self, rows: Ints) -> Keys:
        """The ids that *rows* ask for."""
        keys, place = self.asking
        return keys[np.isin(place, rows)]
