"""What happened in flows that have not taught yet? Asked before a share is said to have dropped."""

from collections.abc import Sequence

import numpy as np

from collector.diagnosis.standing import DropKind
from collector.live.chunk import Chunk


def examples(
    chunks: Sequence[Chunk],
    kind: DropKind,
    step: int | None,
    event_type: int,
    missing: int | None,
    since: int,
) -> tuple[int, int]:
    """(examples, hits) of messages of *event_type* published after *since*, in flows that have not taught.

    See `standing.Drop` for what a hit is. What has not happened yet is an example only where something else
    was published instead.
    """
    counts = [_examples(chunk, kind, step, event_type, missing, since) for chunk in chunks]
    return sum(n for n, _ in counts), sum(hits for _, hits in counts)


def _examples(
    chunk: Chunk, kind: DropKind, step: int | None, event_type: int, missing: int | None, since: int
) -> tuple[int, int]:
    record = chunk.record
    silent = chunk.alive & (chunk.marks.heard == 0) & ~chunk.cut
    if kind == "follow":
        messages = record.messages
        mine = silent[messages.flow] & (messages.type == event_type) & (messages.time >= since)
        hits = int((mine & messages.followed).sum())
        return hits, hits
    reactions = record.reactions
    mine = silent[reactions.flow] & (reactions.step == step) & (reactions.published >= since)
    if kind == "take":
        return int(mine.sum()), int(mine.sum())
    published = mine & reactions.emitted
    if missing is None:
        return int(published.sum()), int(published.sum())
    made = record.emits.reaction[(record.emits.step == step) & (record.emits.type == missing)]
    return int(published.sum()), int((published & np.isin(reactions.row, made)).sum())
