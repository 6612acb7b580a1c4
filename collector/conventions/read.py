"""Which spans are messages, reactions and settles, and what do they say about themselves?

Services follow the messaging conventions of many years at once. `families` lists what each broker and library
does in its own way; `roles` and `settling` decide what that means. The result has one row per span and holds
only what stitching reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.dictionary import Codes, Words
from collector.columns.joins import Ints, Mask, alike
from collector.columns.keys import whole
from collector.conventions.event_types import bare, event_types
from collector.conventions.families import FAMILIES
from collector.conventions.identities import PLACES, delivery_tags, records, several
from collector.conventions.roles import (
    Told,
    confirmed,
    delivered_once,
    destinations_in,
    requests,
    roles,
    with_a_business,
)
from collector.conventions.said import DEFAULT_NAMING, Naming, Said, numbers, read_attributes
from collector.conventions.settling import deliveries_in, deliveries_of, settled_by
from collector.conventions.unstated import failed_unsaid
from collector.model.hiding import HIDDEN, Hiding
from collector.model.readings import READINGS, Role, Settled
from collector.model.spans import Kind, Status

# Columns with few distinct texts are read as words, the others as texts.
_WORDS = (
    "operation",
    "verb",
    "system",
    "template",
    "destination",
    "group",
    "event_type",
    "settled",
    "temporary",
)
_BY_SYSTEM = "event_type_of"  # the event types of certain systems only
_VALUES = ("message_id", "event_id", "kept_in", "deliveries", "error_type", *PLACES)

INSTANCE = "service.instance.id"  # of a resource: which process of a service it was

_LAST = 2**63 - 1  # nanoseconds
_NOTHING = pa.scalar(None, pa.string())

# Bits of OTLP's Span.flags.
_REMOTE_IS_KNOWN, _REMOTE = 0x100, 0x200


def _names(columns: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The attributes of each column, most trusted first."""
    trusted = [lore.attributes for lore in FAMILIES] + [lore.last_resorts for lore in FAMILIES]
    return {column: [name for names in trusted for name in names.get(column, ())] for column in columns}


_OWN_NAMES = {_BY_SYSTEM: [name for lore in FAMILIES for name in lore.event_types_of[1]]}
_WORD_NAMES, _VALUE_NAMES = {**_names(_WORDS), **_OWN_NAMES}, _names(_VALUES)
_SYSTEMS = pa.array([system for lore in FAMILIES for system in lore.event_types_of[0]], pa.string())


def names_of(naming: Naming) -> Sequence[str]:
    """The names of all attributes that are read: without these, a span would be another."""
    columns = [*_WORD_NAMES.values(), *_VALUE_NAMES.values()]
    own = [naming.flow_key, naming.correlation, naming.causation]
    return list(dict.fromkeys(name for names in (*columns, *own) for name in names))


def words_of(naming: Naming) -> Mapping[str, Sequence[str]]:
    """The attributes whose values answers show as words of their own, by what they are there."""
    return {
        "flow key": naming.flow_key,
        "event type": [*_WORD_NAMES["event_type"], *_WORD_NAMES[_BY_SYSTEM], *_WORD_NAMES["template"]],
        "destination": [*_WORD_NAMES["destination"], *_WORD_NAMES["template"]],
        "group": _WORD_NAMES["group"],
        "system": _WORD_NAMES["system"],
        "service": ["service.name"],
    }


def read(spans: pa.Table, naming: Naming = DEFAULT_NAMING) -> pa.Table:
    """READINGS, one row for each row of *spans* (SPANS), in the same order."""
    ids = {
        "flow_key": naming.flow_key,
        "conversation": naming.correlation,
        "causation": naming.causation,
    }
    said = read_attributes(spans, _WORD_NAMES, {**_VALUE_NAMES, **ids})
    words = said.words
    status = numbers(spans["status_code"], np.uint8)
    stated = status == Status.ERROR
    unstated = failed_unsaid(spans, said)
    told = _told(spans, said, stated | unstated)
    # Few distinct combinations occur: each is interpreted once, however many spans have it.
    way, example = alike(list(told.values()))
    meant = {
        column: values[way]
        for column, values in _meant(
            words, {name: values[example] for name, values in told.items()}, naming
        ).items()
    }
    unstated &= meant["role"] != Role.NONE
    failed = pa.array(stated | unstated)
    # What a log record says may repeat what is hidden on its span.
    unsaid = unstated | (meant["role"] == Role.REPORT)
    columns = {
        "trace_id": whole(spans["trace_id"]),
        "span_id": whole(spans["span_id"]),
        "parent_span_id": whole(spans["parent_span_id"]),
        "role": pa.array(meant["role"].astype(np.uint8)),
        "start": _times(spans["start_unix_nano"]),
        "end": _times(spans["end_unix_nano"]),
        "received": _times(spans["received_unix_nano"]),
        "remote": pa.array(meant["remote"]),
        "failed": failed,
        "well": pa.array(status == Status.OK),
        "error": _errors(spans, said, failed, unstated),
        "quotable": pa.array(_quotable(spans, failed, naming.hiding) & ~(unsaid & bool(naming.hiding))),
        "final": pa.array(meant["final"]),
        "request": pa.array(meant["request"]),
        "serves": pa.array(meant["serves"]),
        "service": words.column(told["service"]),
        "group": words.column(meant["group"]),
        "handler": words.column(meant["handler"]),
        "event_type": words.column(meant["event_type"]),
        "general": pa.array(meant["general"]),
        "typed": pa.array(meant["typed"]),
        "destination": words.column(meant["destination"]),
        "system": words.column(told["system"]),
        "message_id": said.texts("message_id"),
        "event_id": said.texts("event_id"),
        "record": records(said),
        "delivery_tag": delivery_tags(said),
        "several": pa.array(several(said)),
        "conversation": said.texts("conversation"),
        "causation": said.texts("causation"),
        "flow_key": said.texts("flow_key").dictionary_encode(),
        "settled": pa.array(meant["settled"].astype(np.uint8)),
        "instance": _instances(spans, meant["role"], naming.hiding),
        "deliveries": pa.array(_deliveries(said, meant["deliveries"])),
        "link_trace_ids": _links(spans["link_trace_ids"], meant["role"]),
        "link_span_ids": _links(spans["link_span_ids"], meant["role"]),
        "dropped_links": whole(spans["dropped_links"]),
    }
    return pa.table(columns, schema=READINGS)


def _told(spans: pa.Table, said: Said, failed: Mask) -> Told:
    """What decides what a span means."""
    words = said.words
    return {
        **{column: said[column] for column in _WORDS},
        "event_type": _named(said),
        "service": words.add(whole(spans["service"])),
        "name": words.add(whole(spans["name"])),
        "kind": numbers(spans["kind"], np.uint8),
        "flags": numbers(spans["flags"], np.uint32) & np.uint32(_REMOTE_IS_KNOWN | _REMOTE),
        "failed": failed,
        "kept": said["kept_in"] >= 0,
    }


def _meant(words: Words, told: Told, naming: Naming) -> Mapping[str, npt.NDArray[Any]]:
    """What each distinct combination means, by column of READINGS."""
    service, name = told["service"], told["name"]
    role = roles(words, told)
    place = _either(told["destination"], told["template"])
    unnamed = (place < 0) | bare(words, place)
    by_name = destinations_in(words, name, np.where(unnamed, role, int(Role.NONE)))
    destination = np.where(role == Role.NONE, -1, _either(place, by_name))
    role = confirmed(with_a_business(role, words, told, destination), words, told)
    consumes = (role == Role.RECEIVE) | (role == Role.PROCESS) | (role == Role.STARTED) | (role == Role.FETCH)
    messaging = (role != Role.NONE) & (role != Role.REPORT)
    # A consumer's template is the pattern it subscribes to ("shop.>"), a publisher's is what it publishes.
    subject = np.where(consumes, place, _either(told["template"], place))
    offered = (np.where(messaging, names, -1) for names in (told["event_type"], subject, by_name, name))
    event_type, general = event_types(words, list(offered), naming.event_names)
    return {
        "role": role,
        "remote": _remote(told),
        "final": delivered_once(words, told),
        "request": requests(words, told, role),
        "serves": told["kind"] == Kind.SERVER,
        "group": np.where(consumes, _either(told["group"], service), -1),
        "handler": np.where(consumes & (told["group"] < 0), name, -1),
        "event_type": event_type,
        "general": general,
        "typed": messaging & (told["event_type"] >= 0),
        "destination": np.where(messaging, destination, -1),
        "settled": _settled(words, told, role),
        "deliveries": words.meanings(np.where(role == Role.SETTLE, destination, -1), deliveries_in, 0),
    }


def _named(said: Said) -> Codes:
    """The event type that each span states."""
    named, others = said["event_type"], said[_BY_SYSTEM]
    if not (others >= 0).any():  # usually
        return named
    own = said.words.meanings(said["system"], _has_own_names, 0) == 1
    return np.where((named < 0) & own, others, named).astype(np.int32)


def _has_own_names(systems: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(systems), value_set=_SYSTEMS)


def _settled(words: Words, told: Told, role: Ints) -> Ints:
    """`Settled` of each, as a successful settle or the handling itself reports it."""
    nothing = int(Settled.UNSAID)
    found = words.meanings(told["settled"], settled_by, nothing)
    rows = np.flatnonzero((role == Role.SETTLE) & ~told["failed"])
    for column in ("verb", "operation", "name"):
        rows = rows[found[rows] == nothing]
        found[rows] = words.meanings(told[column][rows], settled_by, nothing)
    return found


def _remote(told: Told) -> Mask:
    """Which spans have a parent in another process: by the sender's flags or, without them, by their kind."""
    flags = told["flags"]
    known = flags & _REMOTE_IS_KNOWN != 0
    called = (told["kind"] == Kind.CONSUMER) | (told["kind"] == Kind.SERVER)
    return np.asarray(np.where(known, flags & _REMOTE != 0, called), dtype=np.bool_)


def _deliveries(said: Said, settled: Ints) -> Ints:
    """The delivery number of each span's message, by its attribute or the subject it *settled* on."""
    counts = said.texts("deliveries")
    found = settled if counts.null_count == len(counts) else np.maximum(deliveries_of(counts), settled)
    return found.astype(np.uint16)


def _errors(spans: pa.Table, said: Said, failed: pa.Array, unstated: Mask) -> pa.Array:
    """Why each span failed: its status message or, where its status says nothing, the type of its error."""
    errors = pc.if_else(failed, whole(spans["status_message"]), _NOTHING)
    if unstated.any():
        types = pc.fill_null(said.texts("error_type"), "")
        errors = pc.if_else(pc.and_(pa.array(unstated), pc.equal(errors, "")), types, errors)
    return errors


def _quotable(spans: pa.Table, failed: pa.Array, hiding: Hiding) -> Mask:
    """Which errors may be quoted."""
    if not hiding:
        return np.ones(spans.num_rows, np.bool_)
    from collector.formats.otlp.quoting import quotable  # noqa: PLC0415  # protobuf takes 6 MB, few need it here

    return quotable(spans, numbers(failed, np.bool_), hiding)


def _instances(spans: pa.Table, role: Ints, hiding: Hiding) -> pa.Array:
    """The process that announces a handling. Only these spans need it; other resources stay encoded."""
    announces = role == Role.STARTED
    nobody = pa.nulls(spans.num_rows, pa.string())
    if not announces.any():
        return nobody
    mask = pa.array(announces)
    if hiding.hides(INSTANCE):
        return pc.if_else(mask, pa.scalar(HIDDEN), nobody)
    from collector.formats.otlp.opened import instances  # noqa: PLC0415  # protobuf takes 6 MB, few need it here

    return pc.replace_with_mask(nobody, mask, instances(whole(spans["resource"]).filter(mask)))


def _either(first: Codes, second: Codes) -> Codes:
    return np.where(first >= 0, first, second)


def _links(column: pa.ChunkedArray, role: Ints) -> pa.Array:
    """Links, except those of fetches: messages fetched together have nothing else in common."""
    lists, fetch = whole(column), role == Role.FETCH
    if not fetch.any():
        return lists
    return pc.if_else(pa.array(fetch), pa.scalar([], lists.type), lists)


def _times(column: pa.ChunkedArray) -> pa.Array:
    """Times as signed integers, capped at their maximum (in the year 2262)."""
    times = whole(column)
    if (pc.max(times).as_py() or 0) > _LAST:
        times = pc.min_element_wise(times, pa.scalar(_LAST, times.type))
    return times.view(pa.int64())
