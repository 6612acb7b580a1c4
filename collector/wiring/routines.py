"""What is done again and again beside requests, and of what?"""

from dataclasses import dataclass
from functools import partial

from collector.config import Config
from collector.ingest.intake import Intake
from collector.live.runner import Live
from collector.store.removal import RetentionStore
from collector.upkeep import checking, disk, dropping, presence, pulse
from collector.upkeep.checking import StoreChecks
from collector.upkeep.disk import DiskWatch
from collector.upkeep.dropping import Dropping
from collector.upkeep.presence import Presence
from collector.upkeep.probe import Probe
from collector.upkeep.pulse import Pulse
from collector.upkeep.retention import Limits, least_free_of, limit_of
from collector.upkeep.rounds import Rounds
from collector.upkeep.timekeeping import keep_time
from collector.wiring.signs import Signs
from collector.wiring.storage import Storage


@dataclass(frozen=True)
class StoreUpkeep:
    """What looks after the store, as far as readers ask it."""

    dropping: Dropping
    checks: StoreChecks | None  # None: a server keeps what is stored


def look_after_store(rounds: Rounds, config: Config, storage: Storage, signs: Signs) -> StoreUpkeep:
    """Plan what is done for the store: checks, retention, and looks at folder, disk and clock.

    What lies aside and what is kept is known when this returns.
    """
    rounds.every("clock", 10, partial(keep_time, storage.clock, signs.troubles))
    rounds.every("presence", presence.EVERY_S, Presence(storage.store.require_there, signs.troubles).once)
    return StoreUpkeep(checks=_check(rounds, storage, signs), dropping=_drop(rounds, config, storage, signs))


def look_after_parts(rounds: Rounds, intake: Intake, live: Live, signs: Signs) -> None:
    """Plan looks whether spans are still stored and flows still judged. Call it in the event loop."""
    end = signs.ending()
    rounds.every("pulse", pulse.EVERY_S, Pulse(live, signs.troubles, end).once)
    probe = Probe(intake.prove, signs.troubles, end)
    rounds.every("probe", probe.pause_s, probe.once)


def _check(rounds: Rounds, storage: Storage, signs: Signs) -> StoreChecks | None:
    if storage.store.care is None:
        return None
    checks = StoreChecks(storage.store.care, signs.troubles, signs.counters, rounds.stopping.is_set)
    checks.quickly()
    rounds.every("store check", checking.EVERY_S, checks.once)
    rounds.every("merges", checking.MERGES_EVERY_S, checks.merges)
    return checks


def _drop(rounds: Rounds, config: Config, storage: Storage, signs: Signs) -> Dropping:
    removing = storage.store.retention()
    limits = _limits(config, removing)
    also, now = storage.writing.dismissals.forget_gone, storage.clock.now
    dropped = Dropping(removing, limits, signs.counters, clock=now, also=also)
    dropped.look()
    rounds.every("retention", dropping.EVERY_S, dropped.round)
    watch = DiskWatch(storage.store.retention(), dropped, signs.troubles, signs.counters, limits)
    rounds.every("disk", disk.SERVER_EVERY_S if config.store else disk.HERE_EVERY_S, watch.look)
    return dropped


def _limits(config: Config, store: RetentionStore) -> Limits:
    """How much is kept. What is not set depends on the disk, as it is now."""
    room = store.room()
    return Limits(
        days=config.retention_days,
        bytes=limit_of(config.retention_bytes, store.size(), room),
        flow_days=config.retention_flow_days,
        least_free=least_free_of(config.min_free_bytes, room),
    )
