"""What did a person have deleted, and which spans is that?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Mask, find
from collector.columns.keys import Keys
from collector.model.identity import span_keys, trace_keys

DeletionEvent: TypeAlias = Literal["begun", "done", "failed"]


@dataclass(frozen=True)
class Deletion:
    """Spans that a person wants to be gone. All conditions that are given must hold."""

    id: int  # when it was asked for, nanoseconds since the epoch; it rises
    until: int  # only what was received by then: what arrives later is not meant
    service: str = ""
    before: int = 0  # received before that time; 0: whenever that was
    flow: str = ""  # the id of one flow
    author: str = ""
    reason: str = ""

    @property
    def named(self) -> str:
        """Its conditions in words."""
        parts = [f"of {self.service}"] if self.service else []
        parts += [f"received before {np.datetime64(self.before, 'ns')!s:.19} UTC"] if self.before else []
        parts += [f"of the flow {self.flow}"] if self.flow else []
        return " and ".join(parts)


@dataclass(frozen=True)
class Recorded:
    """What became of a deletion: one row when it began, one when it ended."""

    deletion: Deletion
    event: DeletionEvent
    at: int
    spans: int = 0  # copies that were stored
    flows: int = 0
    error: str = ""


@dataclass(frozen=True, eq=False)
class Doomed:
    """The spans of *deletion*; of its flow, those with the keys *spans* (ascending)."""

    deletion: Deletion
    spans: Keys | None = None

    def among(self, rows: pa.Table) -> Mask:
        """Which of *rows* (SPANS or READINGS) they are."""
        deletion = self.deletion
        name = "received" if "received" in rows.column_names else "received_unix_nano"
        received = np.asarray(rows[name].to_numpy())
        mask: Mask = received <= deletion.until
        if deletion.before:
            mask &= received < deletion.before
        if deletion.service:
            service = pc.equal(rows["service"].cast(pa.string()), deletion.service)
            mask &= service.fill_null(False).to_numpy(zero_copy_only=False)
        if self.spans is not None:
            mask &= find(self.spans, span_keys(trace_keys(rows["trace_id"]), rows["span_id"])) >= 0
        return mask


@dataclass(frozen=True)
class Counted:
    """What a deletion would remove."""

    days: Mapping[int, int]  # copies of spans by day of arrival, such as 20261130
    services: Mapping[str, int]  # those with most copies
    flows: int  # stored flows that lose spans, all or some
    whole: int  # of these, those of which nothing stays
    examples: tuple[str, ...]  # ids of flows that lose spans
