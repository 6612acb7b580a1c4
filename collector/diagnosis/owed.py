"""What a flow still owes: the reactions and messages that normally follow and have not been seen.

Each entry knows since when it is owed and when it is due, so that every later moment can be judged
by comparing numbers, without looking at the flow again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from collector.diagnosis.expectations import MS, Expectation, Learner
from collector.diagnosis.record import Ints, Mask, Record, type_of


class Debt(IntEnum):
    """What kind of thing is owed."""

    REACTION = 0  # nobody was seen to take the message
    SUCCESS = 1  # the handling failed
    MESSAGE = 2  # the handling went well and published nothing
    JOIN = 3  # all that was waited for is there, and nothing was published


@dataclass(frozen=True)
class Owed:
    """One entry for each thing owed; all columns have the same length."""

    flow: Ints
    kind: Ints  # Debt
    step: Ints  # who owes it, on which event type; of a join its last step
    join: Ints  # place of the join in `Expected.joins`; -1
    row: Ints  # the span it hangs from: the message, or the reaction
    since: Ints  # nanoseconds
    due: Ints  # nanoseconds after `since`: later is late
    deadline: Ints  # nanoseconds after `since`: later is stuck
    final: Mask  # nobody will try again

    def where(self, mask: Mask) -> "Owed":
        """The entries that *mask* marks."""
        return Owed(**{name.name: getattr(self, name.name)[mask] for name in fields(self)})

    def __len__(self) -> int:
        return len(self.flow)


_NONE = np.empty(0, np.int64)
NOTHING = Owed(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.empty(0, np.bool_))


def together(*parts: Owed) -> Owed:
    """All entries of *parts*."""
    return Owed(
        **{name.name: np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Owed)}
    )


class Expected:
    """What a learner expects, laid out for joins with records. Rebuilt when the learner's version changes."""

    def __init__(self, learner: Learner) -> None:
        self.names = learner.names
        self.version = learner.version
        self.steps: Mapping[int, Expectation] = learner.steps()
        joins = learner.joins()
        self.joins: list[tuple[tuple[int, ...], Expectation]] = sorted(joins.items())
        self.floor = int(learner.habits.deadline_floor_ms * MS)
        self._known = learner.known
        going = sorted(step for step, expectation in self.steps.items() if expectation.progresses)
        self._by_type = np.array(sorted(going, key=lambda step: (type_of(step), step)), np.int64)
        self._types = np.array([type_of(step) for step in self._by_type.tolist()], np.int64)
        self._first = np.array([learner.first_seen(step) for step in self._by_type.tolist()], np.int64)
        self._ascending = np.array(sorted(self.steps), np.int64)
        ranked = [self.steps[step] for step in self._ascending.tolist()]
        self._due = np.array([*(int(e.react.p99_ms * MS) for e in ranked), self.floor], np.int64)
        self._deadline = np.array([*(int(e.deadline_ms * MS) for e in ranked), self.floor], np.int64)
        self._ends = np.array([step for step, e in self.steps.items() if not e.progresses], np.int64)
        emitting = [step for step, e in self.steps.items() if e.always_emits and not self._is_joined(step)]
        self._emitting = np.array(sorted(emitting), np.int64)

    def _is_joined(self, step: int) -> bool:
        """What *step* publishes is published by a join: then the join as a whole owes it."""
        emits = {name for name, _ in self.steps[step].emits}
        return any(step in steps and emits & {name for name, _ in e.emits} for steps, e in self.joins)

    def known(self, event_type: Ints) -> Mask:
        """Which event types were seen often enough to know what follows them."""
        return self._known(event_type)

    def same_demands(self, other: "Expected") -> bool:
        """Say whether both ask the same steps and joins for the same things, at whatever pace."""
        return (
            np.array_equal(self._by_type, other._by_type)
            and np.array_equal(self._emitting, other._emitting)
            and [steps for steps, _ in self.joins] == [steps for steps, _ in other.joins]
        )

    def of(self, step: int, join: int) -> Expectation | None:
        """The expectation that an entry broke; none where a handling failed before anything was learned."""
        return self.joins[join][1] if join >= 0 else self.steps.get(step)

    def owed(self, record: Record) -> tuple[Owed, Mask]:
        """What the flows of *record* owe, and which of them lost telemetry of a step that happened."""
        entries = together(
            self._reactions(record), self._failures(record), self._messages(record), self._joined(record)
        )
        happened = self._happened(record, entries)
        gaps = np.zeros(record.flows, np.bool_)
        gaps[entries.flow[happened]] = True
        return entries.where(~happened), gaps

    def _reactions(self, record: Record) -> Owed:
        messages = record.messages
        left = np.searchsorted(self._types, messages.type, "left")
        count = np.searchsorted(self._types, messages.type, "right") - left
        place = np.repeat(np.arange(len(messages.row)), count)
        which = left[place] + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        step, since = self._by_type[which], messages.time[place]
        # Row and step in one number: rows are small, and so is the rank of a step.
        width = len(self._ascending) + 1
        wanted = messages.row[place] * width + np.searchsorted(self._ascending, step)
        reactions = record.reactions
        known = np.isin(reactions.step, self._ascending) & (reactions.message >= 0)
        have = reactions.message[known] * width + np.searchsorted(self._ascending, reactions.step[known])
        missing = ~np.isin(wanted, have) & (since >= self._first[which])
        flow, row = messages.flow[place][missing], messages.row[place][missing]
        return self._entries(Debt.REACTION, flow, step[missing], row=row, since=since[missing])

    def _failures(self, record: Record) -> Owed:
        reactions = record.reactions
        failed = reactions.failed & ~np.isin(reactions.step, self._ends) & (reactions.step >= 0)
        return self._entries(
            Debt.SUCCESS,
            reactions.flow[failed],
            reactions.step[failed],
            row=reactions.row[failed],
            since=reactions.published[failed],
            final=reactions.final[failed],
        )

    def _messages(self, record: Record) -> Owed:
        reactions = record.reactions
        silent = ~reactions.failed & ~reactions.emitted & np.isin(reactions.step, self._emitting)
        return self._entries(
            Debt.MESSAGE,
            reactions.flow[silent],
            reactions.step[silent],
            row=reactions.row[silent],
            since=reactions.end[silent],
        )

    def _joined(self, record: Record) -> Owed:
        reactions = record.reactions
        found = [NOTHING]
        for place, (steps, expectation) in enumerate(self.joins):
            taken = np.flatnonzero(np.isin(reactions.step, steps) & ~reactions.failed)
            pairs = np.unique(np.stack([reactions.flow[taken], reactions.step[taken]]), axis=1)
            flow, times = np.unique(pairs[0], return_counts=True)
            published = np.unique(reactions.flow[taken[reactions.emitted[taken]]])
            waiting = flow[(times == len(steps)) & ~np.isin(flow, published)]
            rows = taken[np.isin(reactions.flow[taken], waiting)]
            rows = rows[np.lexsort((reactions.end[rows], reactions.flow[rows]))]
            last = rows[np.append(reactions.flow[rows][1:] != reactions.flow[rows][:-1], True)[: len(rows)]]
            entries = self._entries(
                Debt.JOIN,
                reactions.flow[last],
                reactions.step[last],
                row=reactions.row[last],
                since=reactions.end[last],
            )
            entries.join[:] = place
            entries.due[:] = int(expectation.react.p99_ms * MS)
            entries.deadline[:] = int(expectation.deadline_ms * MS)
            found.append(entries)
        return together(*found)

    def _entries(
        self, kind: Debt, flow: Ints, step: Ints, *, row: Ints, since: Ints, final: Mask | None = None
    ) -> Owed:
        place = np.searchsorted(self._ascending, step)
        place = np.where(np.isin(step, self._ascending), place, len(self._ascending))
        due, deadline = self._due[place], self._deadline[place]
        if kind == Debt.MESSAGE:  # the publish comes within the handling: there is no pace of its own
            due = np.minimum(due, self.floor)
        return Owed(
            flow=flow,
            kind=np.full(len(flow), int(kind)),
            step=step,
            join=np.full(len(flow), -1),
            row=row,
            since=since,
            due=due,
            deadline=deadline,
            final=np.zeros(len(flow), np.bool_) if final is None else final,
        )

    def _happened(self, record: Record, entries: Owed) -> Mask:
        """Which entries are paid, as what comes after them shows, though their own spans were lost.

        The event that normally follows is there without a seen cause, from the service that should
        have published it; or somebody reacted to it. What a join published shows that it had all it
        needs.
        """
        happened = np.zeros(len(entries), np.bool_)
        for step in np.unique(entries.step).tolist():
            for join in np.unique(entries.join[entries.step == step]).tolist():
                mine = (entries.step == step) & (entries.join == join)
                told = [self.of(step, join)]
                if self._is_needed(step):
                    told += [expectation for steps, expectation in self.joins if step in steps]
                for rank, expectation in enumerate(told):
                    if expectation is not None:
                        seen = self._flows_beyond(record, expectation, whatever_cause=rank > 0)
                        happened |= mine & np.isin(entries.flow, seen)
        return np.asarray(happened & (entries.kind != Debt.SUCCESS))

    def _is_needed(self, step: int) -> bool:
        return any(step in steps for steps, _ in self.joins)

    def _flows_beyond(self, record: Record, expectation: Expectation, *, whatever_cause: bool) -> Ints:
        """The flows in which what *expectation* leads to was published, or reacted to, by what is seen."""
        messages, reactions = record.messages, record.reactions
        emits = np.array([self.names.event_types.code(name) for name, _ in expectation.emits], np.int64)
        service = self.names.services.code(expectation.service)
        published = np.isin(messages.type, emits) & (messages.service == service)
        if not whatever_cause:
            published &= ~messages.caused
        dangling = (reactions.message < 0) & (reactions.step >= 0)
        reacted = dangling & np.isin(type_of(reactions.step), emits)
        return np.union1d(messages.flow[published], reactions.flow[reacted])
