"""What normally happens after an event? Learned from flows at rest.

A flow teaches when it is at rest, and only if nothing in it is overdue by what earlier flows taught. So an
outage teaches nothing, and the same flows in the same order always teach the same. `evidence` says what
counts as an example.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from collector.columns.joins import Ints, Mask, find, groups, once
from collector.diagnosis.endings import Endings
from collector.diagnosis.evidence import Habit
from collector.diagnosis.expected import Expected
from collector.diagnosis.forming import Forming, Known
from collector.diagnosis.habits import Habits, Regularity
from collector.diagnosis.lesson import Lesson
from collector.diagnosis.needs import Needs
from collector.diagnosis.record import OTHER, Names, reactor_of, type_of
from collector.diagnosis.step_habits import StepHabits
from collector.diagnosis.unseen import flows_beyond, handled_by_others, published_by_others
from collector.diagnosis.vocabulary import Codes, codes_of_steps
from collector.model.decisions import Decision
from collector.model.wording import HOUR, MS


class Learner:
    """Learns from records what to expect. Holds a few kilobytes per step."""

    def __init__(self, names: Names, habits: Habits | None = None) -> None:
        self.habits = habits or Habits()
        self.known = Known(names, self.habits, Needs(names, self.habits), Endings(self.habits))
        self.flows = 0  # how many it has learned from
        self.version = 0  # grows with every change of what is expected
        self.forgotten = 0  # steps that there was no room for,
        self.unlearned = 0  # and those of them of which something was known
        self._forming = Forming(self.known)
        self._of_type: dict[int, list[int]] = {}  # steps by event type
        self._aged = 0
        self._given: Expected | None = None

    def learn(self, lesson: Lesson) -> None:
        """Learn from the flows of *lesson*: they are at rest, and nothing was overdue.

        Stuck flows teach the shares of what they do not owe: else only flows that took another way would, and
        all others would seem to have become rare.
        """
        if not lesson.flows.any():
            return
        self._changed()
        lesson = replace(lesson, lost=lesson.lost | self._orphaned(lesson))
        self._learn_reactions(lesson)
        self._learn_messages(lesson)
        self._learn_emits(lesson)
        if lesson.stuck is not None:
            return
        self.known.needs.learn(lesson)
        self.known.endings.learn(lesson, self._forming.ending_types())
        self._forget_the_rarest()
        self.flows += int((lesson.flows & (lesson.heard == 0)).sum())

    def doubt(self, lesson: Lesson) -> None:
        """Take note of the flows of *lesson*: at rest, but something in them was overdue."""
        if not lesson.flows.any():
            return
        self._changed()
        reactions = lesson.reactions
        for step, rows in groups(reactions.step, _taken(lesson, self.known.names)):
            if step in self.known.steps:
                end = reactions.end[rows]
                self.known.steps[step].react.doubt(np.maximum(end - reactions.published[rows], 0), end)
                self._changed(step)

    def miss(self, step: Ints, since: Ints, *, published: bool) -> None:
        """Take note of what became stuck: the reaction of a step or, if *published*, what it publishes."""
        for code, rows in groups(step, np.ones(len(step), np.bool_)):
            if (seen := self.known.steps.get(code)) is not None:
                (seen.emitted if published else seen.reacted).miss(since[rows])

    def decide(self, decision: Decision) -> None:
        """Apply a person's word, unless a newer one is known."""
        place = decision.event_type, decision.service
        if place in self.known.words and self.known.words[place].at > decision.at:
            return
        self.known.words[place] = decision
        self._forming.renew()
        self._changed()

    def was_there(self, together: Iterable[tuple[Collection[str], int]]) -> None:
        """Take note that these names, of event types and services, occurred in one flow by that nanosecond.

        What examples of the last minutes teach held before as well, for those who were there: a flow that
        stopped before them waits for what they show.
        """
        names = self.known.names
        for step, seen in self.known.steps.items():
            service, _ = names.of_reactor(reactor_of(step))
            event_type = names.event_types.names[type_of(step)]
            for words, since in together:
                if since < seen.first_seen and service in words and event_type in words:
                    seen.first_seen = since
                    self._changed(step)

    def grow_old(self, now: int) -> None:
        """Look, once an hour, for what was not seen for so long that it is no longer expected."""
        if now - self._aged < HOUR:
            return
        self._aged = now
        for step, seen in self.known.steps.items():
            if seen.grow_old(now):
                self._changed(step)

    def expected(self) -> Expected:
        """What is expected now; the same object until something is learned that may change it."""
        if self._given is None or self._given.version != self.version:
            self._given = self._forming.expected(self.version)
        return self._given

    def _changed(self, step: int | None = None) -> None:
        self.version += 1
        if step is not None:
            self._forming.renew(step)

    def _orphaned(self, lesson: Lesson) -> Mask:
        """Which flows have an event without a cause that normally has one: its cause is in another flow."""
        messages = lesson.messages
        caused = {code for seen in self.known.steps.values() for code in seen.sources}
        alone = messages.rooted & ~messages.caused & np.isin(messages.type, sorted(caused))
        mask = np.zeros(lesson.record.flows, np.bool_)
        mask[messages.flow[alone]] = True
        return mask

    def _learn_reactions(self, lesson: Lesson) -> None:
        reactions = lesson.reactions
        taken = _taken(lesson, self.known.names)
        for step, places in groups(reactions.step, taken & lesson.new_reactions):
            rows = places[np.argsort(reactions.end[places], kind="stable")]
            end, published = reactions.end[rows], reactions.published[rows]
            if step not in self.known.steps:
                self.known.steps[step] = StepHabits.new(self.habits, int(published.min()))
                self._of_type.setdefault(type_of(step), []).append(step)
            seen = self.known.steps[step]
            seen.dismissed &= bool(published.max() <= seen.reaction.since)
            sure = seen.reacted.regularity is Regularity.ALWAYS
            # What came so late that its flow had come to rest is slow, not odd.
            late = lesson.heard[reactions.flow[rows]] > 0
            took = np.maximum(end - published, 0)
            if lesson.stuck is None:
                seen.react.add(took[late])
                seen.react.add(took[~late], end[~late] if sure else None)
            emitted = reactions.emitted[rows]
            known = emitted | ~lesson.lost[reactions.flow[rows]]
            emitted |= ~known & self._happened(lesson, step, reactions.flow[rows], published=True)
            silent = published[known & ~emitted & (find(lesson.spared, reactions.message[rows]) < 0)]
            seen.emitted.add(published[emitted], silent, lesson.now - int(seen.delay.deadline_ms * MS))

    def _learn_messages(self, lesson: Lesson) -> None:
        messages, reactions, names = lesson.messages, lesson.reactions, self.known.names
        # A group took a message if any of its services did.
        handled = once(reactions.handling(names)[lesson.taught])
        anew = once(reactions.handling(names)[lesson.new_reactions])
        self._learn_followed(lesson)
        counted = lesson.flows[messages.flow] & (messages.type != OTHER)
        for event_type, rows in groups(messages.type, counted):
            fresh = lesson.new_messages[rows]
            self.known.types[event_type] += int(fresh.sum())
            self.known.see_publishers(event_type, messages.service[rows[fresh]])
            for step in self._of_type.get(event_type, ()):
                seen = self.known.steps[step]
                meant = messages.time[rows] >= seen.first_seen
                wanted = messages.row[rows] * names.groups.limit + names.group_of(step)
                taken = find(handled, wanted) >= 0
                hits = rows[meant & fresh & taken]
                late = rows[meant & ~fresh & (find(anew, wanted) >= 0)]
                missing = rows[meant & fresh & ~taken & ~messages.answered[rows]]
                missing = missing[find(lesson.spared, messages.row[missing]) < 0]
                self._learn_step(lesson, step, hits, late, missing)
                seen.note(int(messages.time[rows].max()))
                self._forming.renew(step)

    def _learn_step(self, lesson: Lesson, step: int, hits: Ints, late: Ints, missing: Ints) -> None:
        messages, seen = lesson.messages, self.known.steps[step]
        flow, time = messages.flow, messages.time
        if len(hits):
            seen.taken_over = 0
        replaced = self._replaced(lesson, step, missing)
        if replaced.any():
            at = missing[replaced]
            seen.replaced(len(at), int(time[at].max()), self._taker(lesson, step, at))
            missing = missing[~replaced]
        lost = lesson.lost[flow[missing]]
        unseen = missing[lost & self._happened(lesson, step, flow[missing], published=False)]
        gone = missing[~lost]
        due = lesson.now - int(seen.react.deadline_ms * MS)
        seen.reacted.add(time[np.concatenate([hits, unseen])], time[gone], due)
        seen.reacted.came(time[late])
        if len(gone):
            seen.reacted.note_missed(lesson.names_of(flow[gone[-20:]]))

    def _happened(self, lesson: Lesson, step: int, flow: Ints, *, published: bool) -> Mask:
        """In which of *flow* what follows the step was seen, although the step itself was not."""
        emits = np.array(sorted(self.known.steps[step].emits), np.int64)
        if not lesson.lost[flow].any() or not len(emits):
            return np.zeros(len(flow), np.bool_)
        service = self.known.names.service_of(step)
        joined = self.known.needs.is_joined(step, set(emits.tolist())) and not published
        beyond = flows_beyond(lesson.record, emits, service, whatever_cause=joined)
        return np.isin(flow, beyond)

    def _replaced(self, lesson: Lesson, step: int, missing: Ints) -> Mask:
        """Which of the *missing* messages another service handled in the step's place."""
        messages, seen = lesson.messages, self.known.steps[step]
        flow = messages.flow[missing]
        if not len(missing) or seen.reacted.regularity is not Regularity.ALWAYS:
            return np.zeros(len(missing), np.bool_)
        if seen.emits:
            service, own = self.known.names.service_of(step), np.array(sorted(seen.sources), np.int64)
            types = np.array(sorted(seen.emits), np.int64)
            paid = np.isin(flow, published_by_others(lesson.record, step, own, service))
            return paid | np.isin(messages.row[missing], handled_by_others(lesson.record, step, types))
        successors = [
            other
            for other in self._of_type[type_of(step)]
            if other != step and self.known.steps[other].first_seen > seen.last
        ]
        reactions = lesson.reactions
        taken = reactions.message[np.isin(reactions.step, successors) & lesson.taught]
        return np.isin(messages.row[missing], taken)

    def _taker(self, lesson: Lesson, step: int, missing: Ints) -> str:
        """Who handled *missing* messages in the place of *step*."""
        reactions, emits = lesson.reactions, lesson.record.emits
        flows = lesson.messages.flow[missing]
        own = list(self.known.steps[step].emits)
        publishing = np.isin(emits.type, own) & np.isin(emits.flow, flows) & (emits.step >= 0)
        others = emits.step[publishing]
        if not len(others):
            there = np.isin(reactions.message, lesson.messages.row[missing]) & (reactions.step >= 0)
            others = reactions.step[there]
        if not len(others):
            return "another service"
        service, group = self.known.names.of_reactor(reactor_of(int(others[0])))
        mine, _ = self.known.names.of_reactor(reactor_of(step))
        return f"the group {group}" if service == mine else service

    def _learn_followed(self, lesson: Lesson) -> None:
        messages, reactions = lesson.messages, lesson.reactions
        joined = self.known.needs.joined_types()
        counted = lesson.flows[messages.flow] & (messages.type != OTHER) & ~messages.request
        led_on = once(reactions.message[lesson.new_reactions & reactions.emitted])
        for event_type, rows in groups(messages.type, counted):
            habit = self.known.followed.setdefault(event_type, Habit(self.habits))
            fresh, followed = lesson.new_messages[rows], messages.followed[rows]
            sure = ~lesson.lost[messages.flow[rows]] & (find(lesson.spared, messages.row[rows]) < 0)
            known = rows[fresh & (followed | sure)]
            if event_type not in joined:
                habit.add_settled(messages.time[known], messages.followed[known])
                habit.came(messages.time[rows[~fresh & (find(led_on, messages.row[rows]) >= 0)]])
                gone = known[~messages.followed[known]]
                habit.note_missed(lesson.names_of(messages.flow[gone[-20:]]))

    def _learn_emits(self, lesson: Lesson) -> None:
        emits, reactions = lesson.record.emits, lesson.reactions
        order = np.argsort(reactions.row, kind="stable")
        for step, rows in groups(emits.step, lesson.new_emits):
            if (seen := self.known.steps.get(step)) is None:
                continue
            if lesson.stuck is None:
                seen.delay.add(emits.delay[rows])
            place = order[np.searchsorted(reactions.row[order], emits.reaction[rows])]
            seen.publishes(emits.type[rows], reactions.published[place], emits.reaction[rows])
            share = self.habits.sources
            seen.sources = {code for code, n in seen.emits.items() if n >= share * self.known.types[code] > 0}
            seen.emitted.came(once(reactions.published[place[~lesson.new_reactions[place]]]))
            seen.note(int(reactions.published[place].max()))
            self._forming.renew(step)

    def in_use(self) -> Codes:
        """The names that what is expected refers to, and what people spoke of."""
        known, names = self.known, self.known.names
        kept = [step for step, seen in known.steps.items() if self._is_learned(step, seen)]
        codes = codes_of_steps(names, np.array([*kept, *known.needs.needed()], np.int64))
        types = {code for step in kept for code in known.steps[step].emits} | known.needs.types_in_use()
        services = {code for step in kept for code in known.publishers.get(type_of(step), ())}
        return Codes(
            once(np.append(codes.types, np.array(sorted(types), np.int64))),
            once(np.append(codes.services, np.array(sorted(services), np.int64))),
            codes.groups,
        )

    def forget(self, codes: Codes) -> None:
        """Forget what has one of these names, none of which is `in_use`."""
        known, gone = self.known, frozenset(codes.types.tolist())
        steps = np.fromiter(known.steps, np.int64, len(known.steps))
        self._forget_steps(steps[codes.in_steps(known.names, steps)].tolist())
        for code in gone:
            known.types.pop(code, None)
            known.followed.pop(code, None)
            known.publishers.pop(code, None)
        for publishers in known.publishers.values():
            for code in codes.services.tolist():
                publishers.pop(code, None)
        for seen in known.steps.values():
            for code in gone & seen.emits.keys():
                del seen.emits[code]
                seen.kinds.pop(code, None)
        known.needs.forget(gone, frozenset(codes.services.tolist()))
        known.endings.forget(gone)
        self._changed()

    def _is_learned(self, step: int, seen: StepHabits) -> bool:
        return seen.reacted.n >= self.habits.flows or self.known.word_on(step) is not None

    def _forget_the_rarest(self) -> None:
        """If there are too many steps, forget some: of those still learned the oldest, then the rarest."""
        known = self.known
        if len(known.steps) <= self.habits.most_steps:
            return
        ranked = [
            (learned, known.steps[step].reacted.n if learned else known.steps[step].last, step)
            for step in known.steps
            for learned in [self._is_learned(step, known.steps[step])]
        ]
        goes = sorted(ranked)[: len(ranked) - self.habits.most_steps * 7 // 8]
        self.forgotten += len(goes)
        self.unlearned += sum(learned for learned, _, _ in goes)
        self._forget_steps([step for _, _, step in goes])

    def _forget_steps(self, steps: Iterable[int]) -> None:
        for step in steps:
            del self.known.steps[step]
            self._forming.renew(step)
            self._of_type[type_of(step)].remove(step)
        self._of_type = {code: steps for code, steps in self._of_type.items() if steps}
        self.known.needs.keep_only(self.known.steps)


def _taken(lesson: Lesson, names: Names) -> Mask:
    """Which reactions of the lesson's flows took a message that was seen, and did not fail."""
    reactions = lesson.reactions
    mask: Mask = lesson.taught & (reactions.message >= 0) & ~reactions.stopped
    # What is counted together is not one step: nothing may be expected of it.
    mask &= (type_of(reactions.step) != OTHER) & (names.service_of(reactions.step) != OTHER)
    return mask
