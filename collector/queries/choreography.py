"""Who reacts to what, how often, how fast, in which variants? The picture that emerges from many flows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collector.diagnosis.record import Mask, Names, Record, reactor_of, type_of
from collector.model.answers import MapEmit, MapEvent, MapReaction, Percentiles, Variant
from collector.model.variant_ids import spelled, variant_of

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_ENDS = 0.05  # an event type ends its branch if at most this share of it is followed by another


@dataclass(frozen=True)
class Choreography:
    """Who reacts to what."""

    events: list[MapEvent]
    reactions: list[MapReaction]
    emits: list[MapEmit]
    variants: list[Variant]


def choreography(
    record: Record, names: Names, states: Sequence[str | None], awaited: Collection[str] = ()
) -> Choreography:
    """The picture of the flows of *record* that have a state in *states*.

    *awaited* has the event types that somebody is known to wait for: they end nothing, even if what follows
    is always published because of another event.
    """
    messages = pd.DataFrame(
        {
            "row": record.messages.row,
            "flow": record.messages.flow,
            "type": record.messages.type,
            "service": record.messages.service,
            "time": record.messages.time,
            "caused": record.messages.caused,
            "followed": record.messages.followed,
            "request": record.messages.request,
        }
    )
    reactions = pd.DataFrame(
        {
            "row": record.reactions.row,
            "flow": record.reactions.flow,
            "step": record.reactions.step,
            "wait": np.maximum(record.reactions.start - record.reactions.published, 0) / 1e6,
            "work": np.maximum(record.reactions.end - record.reactions.start, 0) / 1e6,
            "failed": record.reactions.failed,
        }
    )
    shown = np.array([state is not None for state in states], bool)
    messages = messages[shown[messages["flow"]]]
    reactions = reactions[(reactions["step"] >= 0) & shown[reactions["flow"]]]
    counts = messages.groupby("type").size()
    return Choreography(
        events=_events(messages, names, awaited),
        reactions=_reactions(reactions, counts, names),
        emits=_emits(record, reactions, names, shown),
        variants=_variants(messages[~messages["request"]], record, names, states),
    )


def _events(messages: pd.DataFrame, names: Names, awaited: Collection[str]) -> list[MapEvent]:
    found = []
    for code, group in messages.groupby("type"):
        name = names.event_types.names[int(code)]
        request = bool(group["request"].any())
        services = sorted({names.services.names[service] for service in group["service"]})
        found.append(
            MapEvent(
                event_type=name,
                count=len(group),
                terminal=bool(group["followed"].mean() <= _ENDS) and name not in awaited and not request,
                request=request,
                services=services,
                root=int((~group["caused"]).sum()),
            )
        )
    return sorted(found, key=lambda event: (-event.count, event.event_type))


def _reactions(reactions: pd.DataFrame, counts: "pd.Series[int]", names: Names) -> list[MapReaction]:
    found = []
    for step, group in reactions.groupby("step"):
        service, reactor_group = names.of_reactor(reactor_of(int(step)))
        published = int(counts.get(type_of(int(step)), 0))
        found.append(
            MapReaction(
                event_type=names.event_types.names[type_of(int(step))],
                service=service,
                group=reactor_group,
                count=len(group),
                share=round(min(len(group) / published, 1.0), 4) if published else 1.0,
                wait_ms=_percentiles(group["wait"]),
                work_ms=_percentiles(group["work"]),
                errors=int(group["failed"].sum()),
            )
        )
    return sorted(found, key=lambda item: (item.event_type, item.service, item.group))


def _emits(record: Record, reactions: pd.DataFrame, names: Names, shown: Mask) -> list[MapEmit]:
    # A request is drawn like an event that the service publishes: an arrow to the service that answers.
    emits = pd.concat(
        pd.DataFrame({"step": made.step, "type": made.type, "flow": made.flow})
        for made in (record.emits, record.asks)
    )
    emits = emits[(emits["step"] >= 0) & shown[emits["flow"]]]
    taken = reactions.groupby("step").size()
    found = []
    for (step, emitted), group in emits.groupby(["step", "type"]):
        service, _ = names.of_reactor(reactor_of(int(step)))
        found.append(
            MapEmit(
                service=service,
                event_type=names.event_types.names[type_of(int(step))],
                emits=names.event_types.names[int(emitted)],
                count=len(group),
                share=round(min(len(group) / max(int(taken.get(step, 1)), 1), 1.0), 4),
            )
        )
    return sorted(found, key=lambda item: (item.service, item.event_type, item.emits))


def _variants(
    messages: pd.DataFrame, record: Record, names: Names, states: Sequence[str | None]
) -> list[Variant]:
    """Flows grouped by their set of event types, which are listed in the order in which they usually come."""
    if messages.empty:
        return []
    first = messages.groupby(["flow", "type"])["time"].min().reset_index()
    first["rank"] = first.groupby("flow")["time"].rank(method="first")
    usual = first.groupby("type")["rank"].mean().sort_values(kind="stable")
    place = {int(code): rank for rank, code in enumerate(usual.index)}
    kinds = first.groupby("flow")["type"].agg(
        lambda codes: tuple(sorted(map(int, codes), key=place.__getitem__))
    )
    seconds = pd.Series((record.last - record.started) / 1e9)
    table = pd.DataFrame(
        {"kinds": kinds, "seconds": seconds[kinds.index], "state": [states[i] for i in kinds.index]}
    )
    found = [
        Variant(
            id=spelled(variant_of(names.event_types.names[code] for code in codes)),
            events=[names.event_types.names[code] for code in codes],
            count=len(group),
            share=round(len(group) / len(table), 4),
            p50_s=round(float(group["seconds"].median()), 3),
            outcome=str(group["state"].mode().iloc[0]),
        )
        for codes, group in table.groupby("kinds")
    ]
    return sorted(found, key=lambda variant: (-variant.count, str(variant.events)))


def _percentiles(values: "pd.Series[float]") -> Percentiles:
    found = np.quantile(values.to_numpy(), list(_QUANTILES.values()))
    return Percentiles(**dict(zip(_QUANTILES, np.round(found, 3).tolist(), strict=True)))
