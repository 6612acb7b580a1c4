"""Which parts does a collector consist of, and which of them does each one know?"""

import logging
from dataclasses import dataclass
from pathlib import Path

from collector.brokers.together import Brokers
from collector.config import Config
from collector.conventions import Naming, still_shown
from collector.declaring import DeclaredFile
from collector.diagnosis import Habits
from collector.ingest.intake import Intake
from collector.live.runner import Live
from collector.model.hiding import Hiding
from collector.queries import Reader, Sources, Workers
from collector.stitching import Keying
from collector.upkeep.doors import Doors
from collector.upkeep.rounds import Rounds
from collector.wiring.broker_readers import Reading, brokers_of, look_after_brokers
from collector.wiring.entrances import Guard, Servers, guard_of, open_ports, otlp_of, servers_of
from collector.wiring.routines import StoreUpkeep, look_after_parts, look_after_store
from collector.wiring.signs import Signs, signs_of
from collector.wiring.storage import Storage, open_storage

log = logging.getLogger(__name__)

_DOORS_EVERY_S, _IDLE_EVERY_S = 2, 15


@dataclass(frozen=True)
class Collector:
    """What is started and stopped, in the order of the data flow."""

    servers: Servers
    intake: Intake
    storage: Storage
    live: Live
    reader: Reader
    workers: Workers
    rounds: Rounds
    signs: Signs
    reading: Reading


def assemble(config: Config) -> Collector:
    """All parts, none of them started. Call it in the event loop.

    Raise one of the errors that `__main__.main` lists if the collector cannot start with *config*.
    """
    # What is wrong with the settings is said before the store is opened, which takes a second.
    guard = guard_of(config)
    declared = DeclaredFile(Path(config.expectations)) if config.expectations else None
    ports = open_ports(config)
    storage = open_storage(config)
    signs = signs_of(storage.clock.now)
    rounds = Rounds(signs.watch)
    upkeep = look_after_store(rounds, config, storage, signs)
    hiding = Hiding(config.hide)
    naming = Naming(
        config.flow_keys, config.correlation_ids, config.causation_ids, config.event_names, hiding
    )
    for said in still_shown(naming):
        log.warning("%s", said)
    live = _live(config, storage, upkeep, naming, declared)
    intake = _intake(config, storage, signs, live)
    brokers = brokers_of(config, storage.clock.now)
    sources = _sources(config, storage, signs, upkeep, naming, declared, live, brokers)
    workers = Workers(config.worker_memory_bytes)
    reader = Reader(sources, workers)
    servers = servers_of(config, ports, guard, signs, intake, reader, live)
    look_after_parts(rounds, intake, live, signs)
    if brokers.readers:
        facts, dropping = storage.store.stores().facts, upkeep.dropping
        look_after_brokers(rounds, brokers, live, facts, lambda: dropping.retained.since)
    _look_after_others(rounds, guard, workers, signs)
    reading = Reading(brokers, signs.watch)
    return Collector(servers, intake, storage, live, reader, workers, rounds, signs, reading)


def _live(
    config: Config, storage: Storage, upkeep: StoreUpkeep, naming: Naming, declared: DeclaredFile | None
) -> Live:
    return Live(
        storage.ticking,
        naming=naming,
        keying=Keying(config.key_flows),
        habits=Habits(flows=config.learn_flows, deadline_floor_ms=config.deadline_s * 1000),
        replay_s=config.replay_s,
        declared=declared,
        clock=storage.clock.now,
        kept_since=lambda: upkeep.dropping.retained.since,
    )


def _intake(config: Config, storage: Storage, signs: Signs, live: Live) -> Intake:
    return Intake(
        storage.writing.spans,
        config,
        signs.counters,
        on_stored=live.feed,
        behind=live.behind,
        clock=storage.clock.now,
        require_there=storage.store.require_there,
        watch=signs.watch,
        troubles=signs.troubles,
    )


def _sources(
    config: Config,
    storage: Storage,
    signs: Signs,
    upkeep: StoreUpkeep,
    naming: Naming,
    declared: DeclaredFile | None,
    live: Live,
    brokers: Brokers,
) -> Sources:
    stores = storage.reading
    return Sources(
        stores.spans,
        stores.flows,
        stores.decisions,
        live,
        signs.counters,
        naming,
        otlp_of(config),
        declared,
        signs.troubles,
        storage.clock.now,
        lambda: upkeep.dropping.retained,
        upkeep.checks,
        dismissals=stores.dismissals,
        deletions=stores.deletions,
        brokers=brokers,
    )


def _look_after_others(rounds: Rounds, guard: Guard, workers: Workers, signs: Signs) -> None:
    rounds.every("doors", _DOORS_EVERY_S, Doors(guard.access, guard.tls, signs.troubles).check)
    rounds.every("idle workers", _IDLE_EVERY_S, workers.end_idle)
