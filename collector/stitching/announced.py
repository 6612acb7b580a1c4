"""Which handlings were announced, and which of them have not ended as far as is known?

An announcement (a STARTED span, `word` in the code) is sent when a handling begins. The handling's own span
is sent when it ends, so never if it hangs or its process dies. The announcement is part of that reaction,
never a reaction of its own.
"""

from dataclasses import dataclass

import numpy as np

from collector.columns.joins import distinct_pairs
from collector.model.readings import Role
from collector.stitching.distinct import Spans
from collector.stitching.graph import Pairs, at, marked
from collector.stitching.messages import Messages
from collector.stitching.reactions import Reactions


@dataclass(frozen=True)
class Announced:
    """The announcements of handlings."""

    folded: Pairs  # (announcement, reaction that it announced)
    begun: Pairs  # (message, announcement of a handling whose own span is not here)


_NONE = np.empty(0, np.int64)


def find_announced(spans: Spans, messages: Messages, reactions: Reactions) -> Announced:
    """The announcements in *spans*.

    Each links to its handling and has the same parent; for a batch, it also has the same links.
    """
    words = np.flatnonzero(spans.role == Role.STARTED)
    if not len(words):
        return Announced((_NONE, _NONE), (_NONE, _NONE))
    links = spans.links
    mine = spans.role[links.owner] == Role.STARTED
    owner, target = links.owner[mine], links.target[mine]
    handling = (target >= 0) & ~spans.publishes[target]
    ended = marked(len(spans), owner[handling])
    reaction = at(reactions.around, np.where(handling, target, -1))
    message = at(messages.of, np.concatenate([target, spans.parent[words]]))
    word = np.concatenate([owner, words])
    left = (message >= 0) & ~ended[word]
    return Announced(
        folded=distinct_pairs(owner[reaction >= 0], reaction[reaction >= 0]),
        begun=distinct_pairs(message[left], word[left]),
    )
