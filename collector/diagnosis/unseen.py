"""What happened although its own span is not here? Told from what follows it."""

import numpy as np

from collector.columns.joins import Ints, once
from collector.diagnosis.record import Record, type_of

_NONE = np.empty(0, np.int64)


def flows_beyond(
    record: Record, types: Ints, service: int, further: Ints = _NONE, *, whatever_cause: bool = False
) -> Ints:
    """The flows in which *service* published an event of *types*, or something reacted to one unseen.

    Unless *whatever_cause*, a published event only counts if its cause is unknown. So does one of *further*
    types, which follow from these at any distance.
    """
    messages, reactions = record.messages, record.reactions
    published = np.isin(messages.type, types) & (messages.service == service)
    if not whatever_cause:
        published &= ~messages.caused
    dangling = (reactions.message < 0) & (reactions.step >= 0)
    reacted = dangling & np.isin(type_of(reactions.step), np.append(types, further))
    published |= np.isin(messages.type, further) & ~messages.caused & ~messages.rooted
    return np.union1d(messages.flow[published], reactions.flow[reacted])


def published_by_others(record: Record, step: int, own: Ints, service: int) -> Ints:
    """The flows in which an event of *own*, to which normally *step* alone leads, came from elsewhere.

    Another service published it, or another group of *service* did: the step was renamed or replaced.
    """
    messages, emits = record.messages, record.emits
    elsewhere = messages.flow[np.isin(messages.type, own) & (messages.service != service)]
    regrouped = emits.flow[np.isin(emits.type, own) & (emits.step != step) & (emits.step >= 0)]
    return once(np.concatenate([elsewhere, regrouped]))


def handled_by_others(record: Record, step: int, types: Ints) -> Ints:
    """The rows of the messages after which another reactor than *step* published an event of *types*.

    Two services do not publish the same event because of the same message, unless one replaces the other.
    """
    emits, reactions = record.emits, record.reactions
    theirs = np.isin(emits.type, types) & (emits.step != step) & (emits.step >= 0)
    theirs &= type_of(emits.step) == type_of(step)
    acting = once(emits.reaction[theirs])
    return once(reactions.message[np.isin(reactions.row, acting) & (reactions.step != step)])
