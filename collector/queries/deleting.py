"""A person has spans deleted: is that a wish that can be kept, what would go, and how far is it?"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from collector.model.answers import Deletion as Answered
from collector.model.answers import Deletions, DeletionState
from collector.model.deletions import Counted, Deletion, Doomed, Recorded
from collector.model.identity import span_keys, trace_keys
from collector.queries.deletion_run import Progress, StoppedError, run
from collector.queries.flow import item_of
from collector.queries.paging import QuestionError
from collector.queries.said_fields import cut, flag_of, object_of, text_of, time_of
from collector.queries.sources import Sources
from collector.queries.stitched_run import MOST_TRACES, run_of
from collector.store.contracts import StoreError

log = logging.getLogger(__name__)

MOST_STORED = 10_000  # deletions in all
MOST_SHOWN = 100
LONGEST = {"author": 100, "reason": 1_000}
LONGEST_KEY = 1_000
LONGEST_SERVICE = 200
_STOP_WITHIN_S = 5.0


class DeletionError(Exception):
    """A deletion that is not begun; the text says why. *nearest* are names that look like those asked for."""

    def __init__(self, text: str, status: int = 409, nearest: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.nearest = list(nearest)


@dataclass(frozen=True)
class Unwanted:
    """What a person wants to be gone: all conditions that are given must hold."""

    service: str
    before: int
    flow: str
    dry_run: bool
    author: str
    reason: str


def unwanted_of(document: object) -> Unwanted:
    """What a JSON *document* asks for; raise `QuestionError`, which names the field that is wrong."""
    may = ("service", "before_unix_nano", "flow", "dry_run")
    fields = object_of(document, tuple(LONGEST), may)
    if not {"service", "before_unix_nano", "flow"} & fields.keys():
        raise QuestionError("No condition: expected at least one of service, before_unix_nano and flow.")
    return Unwanted(
        text_of(fields, "service", LONGEST_SERVICE) if "service" in fields else "",
        time_of(fields, "before_unix_nano"),
        text_of(fields, "flow", LONGEST_KEY) if "flow" in fields else "",
        flag_of(fields, "dry_run", otherwise=True),
        *(text_of(fields, name, most) for name, most in LONGEST.items()),
    )


class Deleting:
    """Has spans deleted, one deletion at a time, in a thread of its own."""

    def __init__(self, sources: Sources, nearest: Callable[[str], list[str]]) -> None:
        self._sources, self._nearest = sources, nearest
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._running: tuple[Recorded, Progress] | None = None

    def resume(self) -> None:
        """Go on with what a process before did not end. Call it once, after the start."""
        newest = {one.deletion.id: one for one in self._sources.deletions.records()}
        unfinished = [one for one in newest.values() if one.event == "begun"]
        if unfinished:
            with self._lock:
                self._begin(unfinished)

    def stop(self) -> None:
        """End the thread; the next start goes on where it is."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_WITHIN_S)

    def delete(self, wish: Unwanted) -> Answered:
        """Say what *wish* is about and, unless it is a dry run, begin; raise `DeletionError` if not."""
        if not self._sources.live.replayed.is_set():
            raise DeletionError(
                "The collector has just started, and still reads what it would delete: ask again in some"
                " seconds.",
                503,
            )
        # All that was received by then is in the store: what comes later is not meant.
        newest = self._sources.spans.arrival_of_newest(1, 0) + 1
        at = time.time_ns()
        said = (wish.author, wish.reason)
        deletion = Deletion(at, newest, wish.service, wish.before, "", *said)
        if wish.flow:
            deletion, spans, own = self._of_flow(replace(deletion, flow=wish.flow))
            counted = _counted(deletion, spans, own)
        else:
            spans = None
            counted = self._sources.deletions.count(deletion)
        recorded = Recorded(deletion, "begun", at, sum(counted.days.values()), counted.flows)
        if wish.dry_run:
            return _answered(recorded, "dry_run", counted=counted)
        if not recorded.spans:
            raise DeletionError(f"no span is there {deletion.named}: there is nothing to delete.", 404)
        with self._lock:
            if self._running is not None:
                raise DeletionError(
                    f"A deletion is under way (spans {self._running[0].deletion.named}), and there is one"
                    " at a time: ask again when it is done."
                )
            records = self._sources.deletions.records()
            if len({one.deletion.id for one in records}) >= MOST_STORED:
                raise DeletionError(f"At most {MOST_STORED:,} deletions are stored: nothing can be added.")
            # Ids rise, even if the clock was set back.
            number = max(at, max((one.deletion.id for one in records), default=0) + 1)
            recorded = replace(recorded, deletion=replace(deletion, id=number))
            if spans is not None:
                self._sources.deletions.doom(recorded.deletion, spans)
            self._sources.deletions.write(recorded)
            self._begin([recorded])
        return _answered(recorded, "running", counted=counted)

    def list(self) -> Deletions:
        """What was deleted, the newest first, and how far the one is that runs."""
        records: dict[int, list[Recorded]] = {}
        for one in self._sources.deletions.records():
            records.setdefault(one.deletion.id, []).append(one)
        with self._lock:
            running = self._running
        found = []
        for number in sorted(records, reverse=True)[:MOST_SHOWN]:
            begun, *ends = records[number]
            mine = running if running and running[0].deletion.id == number else None
            ended = ends[-1] if ends else None
            state: DeletionState = "running" if mine else _end_of(ended)
            found.append(_answered(begun, state, ended, mine[1] if mine else None))
        return Deletions(deletions=found, total=len(records))

    def _of_flow(self, deletion: Deletion) -> tuple[Deletion, pa.Table, int]:
        """*deletion* of the flow that it names, by its id, the spans that this is, and how many it has."""
        name = deletion.flow
        item = item_of(self._sources, name)
        if item is None:
            nearest = self._nearest(name)
            known = f" Near it are: {', '.join(map(cut, nearest))}." if nearest else ""
            raise DeletionError(
                f"no flow '{cut(name)}': expected a flow key, a flow id or a trace id.{known}", 404, nearest
            )
        if len(item.traces) > MOST_TRACES:
            raise DeletionError(
                f"flow '{cut(name)}' has {len(item.traces):,} traces, and at most {MOST_TRACES:,} can be"
                " deleted at once: its key is shared by several runs. Delete by service or time instead."
            )
        found = run_of(self._sources, item)
        spans = self._sources.spans.spans_of([]) if found is None else found.own_spans()
        deletion = replace(deletion, flow=item.id)
        keys = np.unique(span_keys(trace_keys(spans["trace_id"]), spans["span_id"]))
        return deletion, spans.filter(pa.array(Doomed(deletion, keys).among(spans))), spans.num_rows

    def _begin(self, recorded: Sequence[Recorded]) -> None:
        """Begin to work on these, one after the other. Call it under the lock."""
        self._running = (recorded[0], Progress())
        self._thread = threading.Thread(target=self._work, args=[recorded], name="deleting", daemon=True)
        self._thread.start()

    def _work(self, every: Sequence[Recorded]) -> None:
        try:
            for recorded in every:
                progress = Progress()
                with self._lock:
                    self._running = (recorded, progress)
                self._carry_out(recorded, progress)
        except StoppedError:
            log.warning("A deletion was interrupted; the next start goes on with it")
        except Exception:
            log.exception("A deletion could not be recorded; the next start goes on with it")
        finally:
            with self._lock:
                self._running = None

    def _carry_out(self, recorded: Recorded, progress: Progress) -> None:
        deletion = recorded.deletion
        while not self._sources.live.replayed.wait(0.2):
            if self._stop.is_set():
                raise StoppedError
        ended = replace(recorded, event="done")
        try:
            run(self._sources, deletion, progress, self._stop.is_set)
        except StoppedError:
            raise
        except StoreError as error:
            log.warning("The deletion of spans %s failed: %s", deletion.named, error)
            ended = replace(recorded, event="failed", error=str(error))
        except Exception as error:
            log.exception("The deletion of spans %s failed", deletion.named)
            ended = replace(
                recorded, event="failed", error=f"{type(error).__name__}: the log has the details"
            )
        self._sources.deletions.write(replace(ended, at=max(time.time_ns(), recorded.at + 1)))


def _counted(deletion: Deletion, spans: pa.Table, own: int) -> Counted:
    """What *deletion* would remove of a flow that has so many spans of its *own*: these *spans*."""
    days = np.asarray(spans["received_unix_nano"].to_numpy(), "datetime64[ns]").astype("datetime64[D]")
    dated = Counter(int(str(day).replace("-", "")) for day in days)
    services = Counter(spans["service"].to_pylist())
    flows = 1 if spans.num_rows else 0
    whole = flows if spans.num_rows == own else 0
    return Counted(dated, services, flows, whole, (deletion.flow,) * flows)


def _end_of(ended: Recorded | None) -> DeletionState:
    if ended is None:
        return "waiting"
    return "failed" if ended.event == "failed" else "done"


def _answered(
    begun: Recorded,
    state: DeletionState,
    ended: Recorded | None = None,
    progress: Progress | None = None,
    counted: Counted | None = None,
) -> Answered:
    deletion = begun.deletion
    return Answered(
        id=deletion.id,
        state=state,
        step=progress.step if progress else None,
        service=deletion.service or None,
        before_unix_nano=deletion.before or None,
        flow=deletion.flow or None,
        author=deletion.author,
        reason=deletion.reason,
        time_unix_nano=begun.at,
        ended_unix_nano=ended.at if ended else None,
        spans=begun.spans,
        flows=begun.flows,
        flows_stitched=progress.flows if progress else None,
        whole_flows=counted.whole if counted else None,
        cut_flows=counted.flows - counted.whole if counted else None,
        examples=list(counted.examples) if counted else [],
        services=_texts(counted.services) if counted else {},
        days=_dated(counted.days) if counted else {},
        error=(ended.error or None) if ended else None,
    )


def _texts(counts: Mapping[str, int]) -> dict[str, int]:
    return {cut(name): number for name, number in counts.items()}


def _dated(days: Mapping[int, int]) -> dict[str, int]:
    return {f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}": n for day, n in sorted(days.items())}
