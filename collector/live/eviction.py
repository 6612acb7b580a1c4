"""Which flows are evicted when the memory holds too many?"""

from collections.abc import Sequence

import numpy as np

from collector.columns.joins import Ints, Mask, groups
from collector.live.chunk import Chunk
from collector.model.flows import State

_DOWN_TO = 0.9  # so that not every tick has to evict


def beyond(chunks: Sequence[tuple[Chunk, Ints]], most: int) -> list[tuple[int, Mask]]:
    """The flows to evict: (place in *chunks*, mask of flows). Each chunk comes with its flows' states.

    Empty if at most *most* spans are alive. Done flows go first, then running and late ones, and stopped ones
    last; in each state, those that have received no span for longest go first.
    """
    alive = [chunk.alive for chunk, _ in chunks]
    if sum(chunk.living_spans for chunk, _ in chunks) <= most:
        return []
    flow = np.concatenate([np.flatnonzero(mask) for mask in alive])
    owner = np.repeat(np.arange(len(chunks)), [int(mask.sum()) for mask in alive])
    state = np.concatenate([state[mask] for (_, state), mask in zip(chunks, alive, strict=True)])
    size = np.concatenate([chunk.size[chunk.alive] for chunk, _ in chunks])
    received = [np.asarray(chunk.flows["received"].to_numpy())[chunk.alive] for chunk, _ in chunks]
    order = np.lexsort((np.concatenate(received), np.minimum(state, State.STUCK)))
    left = size.sum() - np.cumsum(size[order])
    enough = int(np.argmax(left <= _DOWN_TO * most))
    goes = np.zeros(len(flow), np.bool_)
    goes[order[: enough + 1]] = True
    found = []
    for place, rows in groups(owner, goes):
        flows = np.zeros(len(alive[place]), np.bool_)
        flows[flow[rows]] = True
        found.append((place, flows))
    return found
