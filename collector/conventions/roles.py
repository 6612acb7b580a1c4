"""What does a span do with messages? Its attributes decide, then its kind; its name refines the kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import Codes, Words
from collector.columns.joins import Ints, Mask
from collector.conventions.families import FAMILIES
from collector.conventions.lore import Lore
from collector.model.readings import Role
from collector.model.spans import Kind

# Columns of distinct combinations: words, a kind, flags, whether the span failed.
Told: TypeAlias = Mapping[str, npt.NDArray[Any]]

_OPERATIONS = {word: role for lore in FAMILIES for word, role in lore.operations.items()}
_KEEPS = "|".join(verb for lore in FAMILIES for verb in lore.keeps)
_KEEPING = rf"^(?:.*[ .])?(?:{_KEEPS})$|^(?:{_KEEPS}) "
_PRODUCER_NAMES = {name: role for lore in FAMILIES for name, role in lore.producer_names.items()}
_SETTLES = {verb for lore in FAMILIES for verb in lore.settles}
_CORRECTIONS = {wrong: right for lore in FAMILIES for wrong, right in lore.corrections.items()}

# Which roles (columns) a name may give to a span, by the role that its kind alone implies (rows).
_FITS = np.zeros((len(Role), len(Role)), np.bool_)
_FITS[Role.NONE] = True
_FITS[Role.SEND, [Role.CREATE, Role.SEND]] = True
_FITS[Role.PROCESS, [Role.CREATE, Role.RECEIVE, Role.PROCESS]] = True

# Verbs that name no business: a consumer span called `orders ack` handles nothing, `complete order` may.
_PLAIN_SETTLES = {"ack", "nack", "nak", "term", "acknowledge"}
_ONLY_SETTLES = r"^(?:.* )?(?:ack|nack|nak)$|^(?:ack|nack|nak) "


def roles(words: Words, told: Told) -> Ints:
    """`Role` of each. The name distinguishes a create from a send, and a receive from a process."""
    kind, verb, none = told["kind"], told["verb"], int(Role.NONE)
    role = _by_own_verbs(words, told)
    role = np.where(role == none, words.meanings(told["operation"], each(_meaning_of), none), role)
    role = np.where(role == none, words.meanings(verb, each(_meaning_of), none), role)
    by_kind = np.select([kind == Kind.PRODUCER, kind == Kind.CONSUMER], [Role.SEND, Role.PROCESS], none)
    messaging = (by_kind != none) | (told["system"] >= 0) | (told["destination"] >= 0)
    unsaid = np.flatnonzero((role == none) & messaging)
    if len(unsaid):
        name, plain = told["name"][unsaid], by_kind[unsaid]
        by_name = words.meanings(name, each(_meaning_of_name), none)
        own = words.meanings(np.where(plain == Role.SEND, name, -1), each(_meaning_of_producer), none)
        by_name = np.where(own == none, by_name, own)
        fits = (by_name != none) & _FITS[plain, by_name]
        settles = words.meanings(np.where(plain == Role.PROCESS, name, -1), _only_settles, 0) == 1
        role[unsaid] = np.where(settles, int(Role.SETTLE), np.where(fits, by_name, plain))
    for (wrong, of_kind), right in _CORRECTIONS.items():
        role = np.where((role == wrong) & (kind == of_kind), int(right), role)
    known = _by_own_names(words, told)
    named: Codes = np.where(kind == Kind.PRODUCER, -1, told["name"]).astype(np.int32)
    keeps = _keeps(words, verb) | _keeps(words, told["operation"]) | _keeps(words, named)
    known[(known < 0) & keeps] = none
    return np.where(known < 0, role, known)


def of_system(words: Words, told: Told, lore: Lore) -> Mask:
    """Which spans are of the family's own system."""
    return np.asarray(words.meanings(told["system"], lambda texts: pc.equal(texts, lore.system), 0) == 1)


def delivered_once(words: Words, told: Told) -> Mask:
    """Which spans are about a message that its broker does not redeliver."""
    once = np.zeros(len(told["system"]), np.bool_)
    for lore in FAMILIES:
        if lore.delivers_once:
            once |= of_system(words, told, lore) & ~told["kept"]
    return once


def requests(words: Words, told: Told, role: Ints) -> Mask:
    """Which send a request: by the verb or, for older senders that write none, by the name."""
    sending = np.where(role == Role.SEND, np.where(told["verb"] >= 0, told["verb"], told["name"]), -1)
    return np.asarray(words.meanings(sending, each(_asking), int(Role.NONE)) != Role.NONE)


def with_a_business(role: Ints, words: Words, told: Told, destination: Codes) -> Ints:
    """*role*, corrected for traffic with the broker itself and replies to inboxes, which are not messages.

    Who reads from a queue with a generated name may have subscribed to events: only stitching sees whether
    what was read is a reply.
    """

    def to(prefixes: Sequence[str], destination: Codes = destination) -> Mask:
        def begins(texts: pa.Array) -> Mask:
            begun = [np.asarray(pc.starts_with(texts, prefix), np.bool_) for prefix in prefixes]
            mask: Mask = np.logical_or.reduce(begun)
            return mask

        return np.asarray(words.meanings(destination, begins, 0) == 1)

    publishes, inbox = (role == Role.CREATE) | (role == Role.SEND), to(_INBOXES)
    own = to(_OWN_QUEUES) | to(_OWN_QUEUES, told["event_type"])
    replies = publishes & (inbox | own | (words.meanings(told["temporary"], each(_true), 0) == 1))
    return np.select(
        [to(_SETTLE_SUBJECTS), to(_BROKER_SUBJECTS), replies, inbox & (role != Role.NONE)],
        [int(Role.SETTLE), int(Role.NONE), int(Role.REPLY), int(Role.ANSWERED)],
        role,
    )


def confirmed(role: Ints, words: Words, told: Told) -> Ints:
    """*role*, corrected for log records: what they became counts, except that some settle a message."""
    said = words.meanings(told["operation"], each(_meaning_of), int(Role.NONE))
    report, recorded = said == Role.REPORT, said == Role.RECORDED
    alone = words.meanings(told["operation"], each(_is_alone), 0) == 1
    if not (report.any() or recorded.any() or alone.any()):  # usually
        return role
    settles = words.meanings(np.where(report | alone, told["name"], -1), each(_names_settle), 0) == 1
    verb = np.where(report & ~_ends(words, told["name"], "exception"), told["verb"], -1)
    settles |= words.meanings(verb, each(_meaning_of), int(Role.NONE)) == Role.SETTLE
    return np.select(
        [report & settles, report, recorded, alone & settles],
        [int(Role.SETTLE), int(Role.REPORT), int(Role.RECORDED), int(Role.NONE)],
        role,
    )


def parted(name: str) -> tuple[Role, str]:
    """The role and the destination in a span name: `publish orders` (since 1.27) or `orders publish`."""
    first, _, rest = name.partition(" ")
    if (role := _meaning_of(first)) is not Role.NONE:
        return role, rest.strip()
    rest, _, last = name.rpartition(" ")
    return _meaning_of(last), rest.strip()


def destinations_in(words: Words, name: Codes, role: Ints) -> Codes:
    """The destinations in the names of spans that have a *role*; -1 where a name does not say."""
    named = np.where(role == Role.NONE, -1, name)
    says = words.meanings(named, each(_meaning_of_name), -1) == role

    def destinations(texts: pa.Array) -> Codes:
        return words.add(pa.array([parted(text)[1] or None for text in texts.to_pylist()], pa.string()))

    return words.meanings(np.where(says, named, -1), destinations, -1).astype(np.int32)


def each(of: Callable[[str], int]) -> Callable[[pa.Array], Sequence[int]]:
    """*of*, lifted to a column with few texts."""
    return lambda texts: [of(text) for text in texts.to_pylist()]


def _by_own_verbs(words: Words, told: Told) -> Ints:
    """Roles by the verbs of a family's own system, which say more than the operation's type."""
    none = int(Role.NONE)
    role = np.full(len(told["verb"]), none)
    for lore in FAMILIES:
        if lore.verbs:
            verb = np.where(of_system(words, told, lore), told["verb"], -1)
            role = np.where(role == none, words.meanings(verb, each(_one_of(lore.verbs)), none), role)
    return role


def _by_own_names(words: Words, told: Told) -> Ints:
    """Roles by the names that a family gives to spans of its own; -1 where none fits."""
    role = np.full(len(told["name"]), -1)
    for lore in FAMILIES:
        if lore.names:
            own = of_system(words, told, lore) if lore.system else np.ones(len(role), np.bool_)
            named = words.meanings(np.where(own, told["name"], -1), _role_by(lore.names), -1)
            role = np.where(role < 0, named, role)
    return role


def _role_by(names: Sequence[tuple[str, Role]]) -> Callable[[pa.Array], Ints]:
    def roles_of(texts: pa.Array) -> Ints:
        lower, role = pc.utf8_lower(texts), np.full(len(texts), -1)
        for pattern, meant in names:
            fits = np.asarray(pc.match_substring_regex(lower, f"^(?:{pattern})$"), np.bool_)
            role[fits & (role < 0)] = int(meant)
        return role

    return roles_of


def _keeps(words: Words, verb: Codes) -> Mask:
    """Which *verb*, or span name that begins or ends with one, only keeps a message longer."""

    def keeps(texts: pa.Array) -> pa.Array:
        return pc.match_substring_regex(pc.utf8_lower(texts), _KEEPING)

    return np.asarray(words.meanings(verb, keeps, 0) == 1)


def _only_settles(names: pa.Array) -> pa.Array:
    return pc.match_substring_regex(pc.utf8_lower(names), _ONLY_SETTLES)


def _one_of(verbs: Mapping[str, Role]) -> Callable[[str], Role]:
    return lambda word: verbs.get(word, Role.NONE)


def _meaning_of(word: str) -> Role:
    return _OPERATIONS.get(word.lower(), Role.NONE)


def _meaning_of_name(name: str) -> Role:
    return parted(name)[0]


def _meaning_of_producer(name: str) -> Role:
    return _PRODUCER_NAMES.get(name.lower().rpartition(".")[2], Role.NONE)


def _is_alone(word: str) -> int:
    return int(word == "event_without_span")


def _names_settle(name: str) -> int:
    """Whether an event is called after a settle: `ack`, or any verb with a prefix, `messaging.nats.term`."""
    prefix, _, verb = name.lower().rpartition(".")
    if prefix == "messaging" or prefix.startswith("messaging."):
        return int(verb in _SETTLES)
    return int(not prefix and verb in _PLAIN_SETTLES)


def _ends(words: Words, name: Codes, end: str) -> Mask:
    return np.asarray(words.meanings(name, lambda texts: pc.ends_with(texts, end), 0) == 1)


def _asking(words: str) -> Role:
    """SEND for `request`, `request prices` and `prices request`; not for `publish request`."""
    first, *_, last = words.split(" ") * 2
    asks = first == "request" or (last == "request" and _meaning_of(first) is Role.NONE)
    return Role.SEND if asks else Role.NONE


def _true(text: str) -> int:
    return int(text.lower() == "true")


def _all(subjects: Callable[[Lore], Sequence[str]]) -> tuple[str, ...]:
    return tuple(prefix for lore in FAMILIES for prefix in subjects(lore))


_INBOXES = _all(lambda lore: lore.inboxes)
_OWN_QUEUES = _all(lambda lore: lore.own_queues)
_SETTLE_SUBJECTS = _all(lambda lore: lore.settle_subjects)
_BROKER_SUBJECTS = _all(lambda lore: lore.broker_subjects)
