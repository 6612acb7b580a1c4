"""Which handlings were announced, and which of them have not ended as far as anybody knows?

The word that a handling has begun comes at once, its own span when it has ended, which it does not where it
hangs or its process died. The word is a part of that reaction, and never a reaction of its own.
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
    """What was said of handlings when they began."""

    folded: Pairs  # (word, reaction that it announced)
    begun: Pairs  # (message, word that a handling of it began, which is not here)


_NONE = np.empty(0, np.int64)


def find_announced(spans: Spans, messages: Messages, reactions: Reactions) -> Announced:
    """The words among *spans*. Each links to its handling and has its parent; of a batch, also its links."""
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
