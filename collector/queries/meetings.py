"""Who sends what to whom, as far as spans tell: counted from the courses of flows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from collector.model.answers import Connection
from collector.model.courses import Course

Pair: TypeAlias = tuple[str, str]  # service, destination


@dataclass
class Meetings:
    """What services did with destinations, added up; a destination is an event type."""

    flows: int = 0
    messages: int = 0
    without_key: Counter[str] = field(default_factory=Counter)  # messages of flows without a flow key
    sent: Counter[Pair] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)  # messages that nothing was seen to cause
    handled: Counter[Pair] = field(default_factory=Counter)
    unseen: Counter[Pair] = field(default_factory=Counter)  # handled, and the message was not seen,
    alone: Counter[Pair] = field(default_factory=Counter)  # and no context says whose it was
    keyed: Counter[Pair] = field(default_factory=Counter)  # sent or handled in a flow with a flow key

    def add(self, course: Course, flows: int) -> None:
        """Add so many *flows* that took this course."""
        self.flows += flows
        for one in course.published:
            pair, n = (one.service, one.event_type), one.count * flows
            self.sent[pair] += n
            self.messages += n
            self.without_key[one.event_type] += 0 if course.keyed else n
            self.begun[one.event_type] += 0 if one.caused else n
            self.keyed[pair] += n if course.keyed else 0
        for done in course.reacted:
            pair, n = (done.service, done.event_type), done.count * flows
            self.handled[pair] += n
            self.unseen[pair] += n if done.unseen else 0
            self.alone[pair] += n if done.alone else 0
            self.keyed[pair] += n if course.keyed else 0
            if done.unseen:  # the only trace that its message left
                self.messages += n
                self.without_key[done.event_type] += 0 if course.keyed else n

    def senders_of(self, destination: str) -> dict[str, int]:
        """How much each service sent there."""
        return {service: n for (service, name), n in self.sent.items() if name == destination}

    def handlers_of(self, destination: str) -> dict[str, int]:
        """How much of it each service handled."""
        return {service: n for (service, name), n in self.handled.items() if name == destination}

    def destinations(self) -> list[str]:
        """All of them, in order."""
        return sorted({name for _, name in (*self.sent, *self.handled)})

    def connections(self, most: int) -> list[Connection]:
        """A row for each service and destination: the *most* with the most messages, by name."""
        pairs = Counter(self.sent)
        pairs.update(self.handled)
        return [
            Connection(
                service=pair[0],
                destination=pair[1],
                sent=self.sent[pair],
                handled=self.handled[pair],
                with_context=self.handled[pair] - self.alone[pair],
                with_flow_key=self.keyed[pair],
            )
            for pair in sorted(pair for pair, _ in pairs.most_common(most))
        ]


def met(courses: Iterable[tuple[Course | None, int]]) -> Meetings:
    """What flows that took these *courses*, and how many did, tell together; those of None tell nothing."""
    found = Meetings()
    for course, flows in courses:
        if course is not None:
            found.add(course, flows)
    return found
