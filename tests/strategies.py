"""What may a set of spans look like? Random tangles, in which anything may point at anything, and random
stories, in which orders are placed and services react, lose telemetry and handle batches.

Both are rows of READINGS, small enough to read when a test fails, and full of equal times, ids and keys.
"""

import os
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from collector.model.readings import READINGS, Role
from collector.stitching import Keying

Row = dict[str, Any]
Ref = tuple[bytes, bytes]

ROOT = bytes(8)
HOUR = 3_600 * 10**9
TICK = 400_000  # nanoseconds; a few of them exceed the plausible difference between clocks
SERVICES = ("order", "payment", "shipping")


def examples(number: int) -> int:
    """How many examples a slow property is tried with; MORE_EXAMPLES=10 makes it ten times as many.

    Each run draws others, so many short runs find what one long run finds.
    """
    return number * int(os.environ.get("MORE_EXAMPLES", "1"))


def reading(trace: int, span: int, role: Role = Role.NONE, **said: Any) -> Row:
    """A row of READINGS; its ids are small numbers."""
    row: Row = {
        "trace_id": bytes([trace + 1]) * 16,
        "span_id": bytes([span + 1]) * 8,
        "parent_span_id": ROOT,
        "role": int(role),
        "start": 0,
        "end": 1,
        "received": 2,
        "remote": False,
        "failed": False,
        "well": False,
        "error": None,
        "quotable": True,
        "final": False,
        "request": False,
        "serves": False,
        "service": SERVICES[0],
        "group": None,
        "handler": None,
        "event_type": None,
        "general": False,
        "typed": False,
        "destination": None,
        "system": None,
        "message_id": None,
        "event_id": None,
        "record": None,
        "delivery_tag": None,
        "several": False,
        "conversation": None,
        "causation": None,
        "flow_key": None,
        "settled": 0,
        "instance": None,
        "deliveries": 0,
        "link_trace_ids": [],
        "link_span_ids": [],
        "dropped_links": 0,
    }
    return row | said


def ref(row: Row) -> Ref:
    """The ids of a row."""
    return row["trace_id"], row["span_id"]


def link(row: Row, targets: Iterable[Ref]) -> None:
    """Add links from *row* to *targets*."""
    for trace, span in targets:
        row["link_trace_ids"].append(trace)
        row["link_span_ids"].append(span)


def table(rows: Sequence[Row]) -> pa.Table:
    """READINGS of *rows*."""
    return pa.Table.from_pylist(list(rows), schema=READINGS)


def keyings(random: Random) -> Keying:
    """How far flow keys are trusted: how many traces may share one, and sometimes a key that is refused."""
    refused = frozenset(random.choice(["", "", "", "A"]))
    return Keying(most=random.choice([0, 1, 2, 200]), refused=refused)


def tangle(random: Random) -> list[Row]:
    """Spans whose parents and links point at anything: cycles, themselves, missing spans. Ids may repeat."""
    count, traces = random.randint(0, 14), random.randint(1, 4)
    numbers = random.choice([range(count), [random.randrange(8) for _ in range(count)]])
    parented, linked, keyed = (random.choice(odds) for odds in ((0.3, 0.7, 0.95), (0, 0.3, 0.6), (0, 0, 0.3)))
    causing = random.choice([0, 0.5])
    rows = [
        reading(
            random.randrange(traces),
            number,
            Role(random.choice([0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 7, 8, 10, 11])),
            parent_span_id=bytes([random.randrange(count) + 1]) * 8 if random.random() < parented else ROOT,
            start=TICK * random.choice([*range(6), HOUR // TICK]),
            end=TICK * random.choice([*range(8), HOUR // TICK]),
            received=random.randrange(3),
            remote=random.random() < 0.5,
            failed=random.random() < 0.2,
            well=random.random() < 0.2,
            request=random.random() < 0.1,
            serves=random.random() < 0.1,
            service=random.choice(SERVICES),
            group=random.choice("gh"),
            handler=random.choice([None, None, "a", "b"]),
            general=random.random() < 0.2,
            event_type=random.choice([None, None, "P", "Q"]),
            typed=random.random() < 0.7,
            destination=random.choice([None, "x", "y"]),
            system=random.choice([None, "nats"]),
            message_id=random.choice([None, None, "1", "2"]),
            event_id=random.choice([None, None, None, "3", "4"]),
            record=random.choice([None, None, "0/1", "0/2"]),
            delivery_tag=random.choice([None, None, "1", "2"]),
            several=random.random() < 0.2,
            conversation=random.choice([None, "1", "2"]),
            causation=random.choice([None, "1", "2", "3"]) if random.random() < causing else None,
            flow_key=random.choice("AB") if random.random() < keyed else None,
            settled=random.choice([0, 0, 1, 2, 3]),
            deliveries=random.choice([0, 0, 0, 1, 2, 3]),
            dropped_links=int(random.random() < 0.1),
        )
        for number in numbers
    ]
    nowhere = [(bytes([99]) * 16, bytes([number]) * 8) for number in (1, 2)]
    for row in rows:
        while random.random() < linked:
            link(row, [ref(random.choice(rows)) if random.random() < 0.9 else random.choice(nowhere)])
    return rows


def story(random: Random) -> list[Row]:
    """Orders, reactions to one or several of their messages, and their consequences; some spans are lost."""
    teller = _Teller(random)
    for _ in range(random.randint(1, 4)):
        teller.publish(teller.new_trace(), None)
    for _ in range(random.randint(1, 8)):
        random.choice([teller.react, teller.react, teller.react, teller.react_again])()
    lost = random.choice([0, 0, 0.1, 0.3])
    return [row for row in teller.rows if random.random() >= lost]


class _Teller:
    """Tells a story, one event at a time."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rows: list[Row] = []
        self.messages: list[Row] = []
        self.traces = 0
        self.keyed = random.choice([0, 0, 0.2, 0.9])
        self.links = random.choice([0.2, 0.8, 1])
        self.causing = random.choice([0, 0, 0.7])

    def new_trace(self) -> int:
        self.traces += 1
        return self.traces - 1

    def add(self, trace: int, role: Role, parent: Row | None, **said: Any) -> Row:
        random, start = self.random, TICK * (len(self.rows) + self.random.choice([0, 0, 0, 0, -3]))
        start += HOUR * self.random.choice([0, 0, 0, 0, 0, 0, 1])
        key = random.choice("ABC") if random.random() < self.keyed else None
        up = ROOT if parent is None else parent["span_id"]
        said = {"start": start, "end": start + TICK * random.randrange(4), "flow_key": key, **said}
        self.rows.append(reading(trace, len(self.rows), role, parent_span_id=up, **said))
        return self.rows[-1]

    def publish(
        self, trace: int, parent: Row | None, because: Row | None = None, service: str | None = None
    ) -> None:
        """One message, as one span or as create and send, or several messages sent together."""
        random = self.random
        service = service or (random.choice(SERVICES) if parent is None else parent["service"])
        said = {"service": service, "destination": random.choice("xy"), "system": "nats"}
        said["message_id"] = random.choice([None, str(len(self.rows)), str(len(self.rows)), "1"])
        said["conversation"] = random.choice([None, "1", "2"])
        said["event_id"] = random.choice([None, None, f"e{len(self.rows)}"])
        said["request"] = random.random() < 0.1
        said["several"] = random.random() < 0.1
        if because is not None:
            said["causation"] = because["event_id"] or because["message_id"]
        shape = random.choice(["send", "send", "create", "repeated", "together"])
        if shape == "together":
            creates = [self.add(trace, Role.CREATE, parent, **said) for _ in range(random.randint(1, 3))]
            sending = self.add(trace, Role.SEND, random.choice([parent, creates[0]]), **said)
            link(sending, map(ref, creates))
            self.messages += [*creates, random.choice([sending, creates[0]])]
            return
        message = self.add(trace, Role.SEND if shape != "create" else Role.CREATE, parent, **said)
        for _ in range(0 if shape == "send" else random.choice([1, 1, 2])):
            self.add(trace, Role.SEND, message, **said)
        self.messages.append(message)

    def react(self) -> None:
        """A service handles one or several messages: in their trace, in some worker's, or in its own."""
        random = self.random
        taken = random.sample(self.messages, min(len(self.messages), random.choice([1, 1, 1, 2, 2, 3])))
        trace, parent = self._where(taken)
        said = {"service": random.choice(SERVICES), "group": random.choice("gh"), "remote": True}
        said |= {
            "destination": random.choice([None, "x", "x", "y"]),
            "conversation": random.choice([None, "1", "2"]),
        }
        said |= {"handler": random.choice([None, None, "a"]), "message_id": random.choice([None, None, "1"])}
        said |= {"record": random.choice([None, None, "0/1"]), "event_id": random.choice([None, None, "e"])}
        said |= {"delivery_tag": random.choice([None, "1"])}
        consumer = None
        if random.random() < 0.3:
            consumer = self.add(trace, Role.RECEIVE, parent, **said)
            parent = consumer
        handlers = random.choice([1, 1, 1, 2]) if consumer is not None else 1
        for _ in range(handlers):
            consumer = self.add(trace, Role.PROCESS, parent, **said, failed=random.random() < 0.1)
        assert consumer is not None
        if parent is None and random.random() < 0.3:  # it came without trace context
            consumer |= {"system": "nats", "message_id": taken[0]["message_id"]} if taken else {}
        elif parent is None or len(taken) > 1 or random.random() < self.links:
            at = consumer if random.random() < 0.7 or parent is None else parent
            link(at, map(ref, taken))
        if random.random() < 0.3:
            self.announce(consumer, taken)
        if random.random() < 0.2:
            self.answer(trace, consumer)
        if random.random() < 0.3:
            self.settle(trace, consumer, taken)
        for _ in range(random.choice([0, 1, 1, 2])):
            work = self.add(trace, Role.NONE, consumer, service=consumer["service"])
            if random.random() < 0.15:  # the context was lost, and no id replaces it
                self.publish(self.new_trace(), None, service=consumer["service"])
                continue
            because = random.choice(taken) if taken and random.random() < self.causing else None
            if because is not None and random.random() < 0.5:  # the publisher had no context at hand
                where = self.new_trace() if random.random() < 0.7 else trace
                outside = self.add(where, Role.NONE, None, service=consumer["service"])
                for _ in range(random.choice([1, 1, 2])):
                    self.publish(where, outside, random.choice([because, random.choice(taken)]))
            else:
                self.publish(trace, random.choice([consumer, work, work, parent]) or consumer, because)

    def announce(self, consumer: Row, taken: Sequence[Row]) -> None:
        """A span beside the handling announces its start; for a batch, in a trace of its own."""
        batch = consumer["parent_span_id"] == ROOT
        where = self.new_trace() if batch else consumer["trace_id"][0] - 1
        word = self.add(where, Role.STARTED, None, service=consumer["service"], group=consumer["group"])
        word["parent_span_id"] = consumer["parent_span_id"]
        link(word, [ref(consumer), *(map(ref, taken) if batch else ())])

    def answer(self, trace: int, consumer: Row) -> None:
        """The message was a request: its reply goes to an inbox, and the receiver may publish in turn."""
        reply = self.add(trace, Role.REPLY, consumer, service=consumer["service"])
        asker = self.random.choice(SERVICES)
        answered = self.add(trace, Role.ANSWERED, reply, service=asker, remote=True)
        if self.random.random() < 0.5:
            self.publish(trace, answered)

    def settle(self, trace: int, consumer: Row, taken: Sequence[Row]) -> None:
        """Settle the messages, in the handling or after it, one by one or together, in one or two spans."""
        random = self.random
        if random.random() < 0.2:
            consumer |= {"settled": random.randint(1, 3), "deliveries": random.randint(0, 3)}
            return
        each = [[row] for row in taken]
        for some in random.choice([each, [list(taken)], [[consumer]], [list[Row]()]]):
            parent = random.choice([consumer, consumer, taken[0] if taken else None, None])
            said = {"service": consumer["service"], "settled": random.randint(0, 3)}
            where = trace if parent is None else parent["trace_id"][0] - 1
            settle = self.add(where, Role.SETTLE, parent, **said, deliveries=random.randint(0, 3))
            link(settle, map(ref, some if random.random() < 0.5 else []))
            if random.random() < 0.2:
                said |= {
                    "settled": random.randint(0, 3),
                    "service": random.choice([said["service"], "order"]),
                }
                self.add(where, Role.SETTLE, settle, **said)

    def react_again(self) -> None:
        """Redeliver a message to the same consumer or another in its group, at the same time or later."""
        handled = [row for row in self.rows if row["role"] == Role.PROCESS]
        if handled:
            row = self.random.choice(handled)
            start = self.random.choice([row["start"], row["end"], row["end"] + 1])
            span = reading(0, len(self.rows))["span_id"]
            again = {**row, "span_id": span, "start": start, "end": start + 1, "failed": False}
            for name in ("message_id", "event_id", "record", "delivery_tag"):
                again[name] = self.random.choice([row[name]] * 5 + ["2"])
            self.rows.append(again)

    def _where(self, taken: Sequence[Row]) -> tuple[int, Row | None]:
        if self.random.random() < 0.5:
            return self.new_trace(), None
        parent = self.random.choice([taken[0], taken[0], self.random.choice(self.rows)])
        return parent["trace_id"][0] - 1, parent


_randoms = st.randoms(use_true_random=False)
tangles = st.builds(tangle, _randoms)
stories = st.builds(story, _randoms)
span_sets = tangles | stories
believed = st.builds(keyings, _randoms)
