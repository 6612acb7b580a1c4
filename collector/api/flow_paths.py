"""The paths of one flow: its graph, its spans, why it stopped; and of a file, stitched as a flow is."""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal, TypeVar

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import Convertor, register_url_convertor

from collector.api.counted_bodies import body_of
from collector.api.failures import Json, UnknownFlowError
from collector.api.lanes import BusyError, Lane, Lanes
from collector.api.openapi import question, response
from collector.config import Config
from collector.model.answers import Flow, Spans, Stitched, Why
from collector.queries import PART, ApartError, Errand, GivenUpError, Reader, part
from collector.store.contracts import StoreError
from collector.web.budget import Budget
from collector.web.unread import BrokenOffError

T = TypeVar("T")

log = logging.getLogger(__name__)

PartLimit = Annotated[int, Query(ge=1, le=10_000, description="How many spans at the most.")]
PartCursor = Annotated[str | None, Query(description="A cursor of another part.", max_length=400)]
Order = Annotated[Literal["newest", "oldest"], Query(description="Which part comes first.")]


class _Key(Convertor[str]):
    """The rest of a path: a flow key may contain anything, even line breaks."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("key", _Key())


def add_flow(app: FastAPI, reader: Reader, lanes: Lanes) -> None:
    """Add the paths of one flow to *app*."""

    @question(app, "/flows/{key:key}", Flow)
    async def flow(
        request: Request,
        key: str,
        limit: PartLimit = PART,
        cursor: PartCursor = None,
        order: Order = "newest",
    ) -> Response:
        """One flow by its key, id or trace id: its graph and its findings.

        Of a flow with more than `limit` spans it is a part: the newest, or the oldest with `order=oldest`;
        `next_cursor` leads on.
        """
        wanted = part(limit, cursor, order)
        found = await lanes.large.ask(
            request, lambda errand: _found(reader.flow_json(key, wanted, errand), key, reader)
        )
        return Response(found, media_type="application/json")

    @question(app, "/spans/{key:key}", Spans)
    async def spans(request: Request, key: str) -> Response:
        """The spans of one flow, as the OTLP request in JSON that `stitch` reads.

        All of them, in the order of their start: they are read while they are sent.
        """
        errand = Errand()
        pieces = await lanes.large.ask(
            request, lambda errand: _found(reader.spans_json(key, errand), key, reader), errand
        )
        return StreamingResponse(_sent(lanes.large, request, pieces, errand), media_type="application/json")

    @question(app, "/span/{ref}", Spans)
    async def span(request: Request, ref: str) -> Response:
        """One span by its ref, as `spans` has it: all that its sender wrote and no rule hides."""
        found = await lanes.lists.ask(request, lambda errand: reader.span_json(ref, errand))
        if found is None:
            raise HTTPException(404, f"no span '{ref}': it has not arrived, or is no longer kept.")
        return Response(found, media_type="application/json")

    @question(app, "/why/{key:key}", Why)
    async def why(request: Request, key: str) -> Response:
        """The findings of one flow."""
        return await lanes.lists.ask(request, lambda errand: Json(_found(reader.why(key), key, reader)))


def add_stitch(app: FastAPI, reader: Reader, config: Config, lanes: Lanes, budget: Budget) -> None:
    """Add to *app* the path that answers for a file as for a flow, and stores nothing."""

    @app.post("/api/v1/stitch", response_model=None, responses={200: response(Stitched)})
    async def stitch(
        request: Request, limit: PartLimit = PART, cursor: PartCursor = None, order: Order = "newest"
    ) -> Response:
        """Stitch a trace file: OTLP, Tempo, Jaeger or Zipkin, gzipped or not. Nothing is stored.

        Its content decides what it is, whatever the Content-Type says. Of a file with more than `limit`
        spans the answer shows a part, as of a flow: send it again with the `next_cursor` for the next.
        """
        wanted = part(limit, cursor, order)
        with budget.share() as share:
            body = await body_of(request, config.max_body_bytes, share)
            found = await lanes.large.ask(
                request, lambda errand: reader.stitch_json(body, wanted, errand, config.max_body_bytes)
            )
        return Response(found, media_type="application/json")


async def _sent(
    lane: Lane, request: Request, pieces: Iterator[bytes], errand: Errand
) -> AsyncIterator[bytes]:
    """*pieces*, each made once the one before is taken."""
    try:
        while (piece := await lane.ask(request, lambda errand: next(pieces, None), errand)) is not None:
            yield piece
    except (ApartError, BusyError, GivenUpError, StoreError) as error:
        log.warning("Spans of a flow are sent incompletely: %s", error or "their reader has left")
        raise BrokenOffError from error


def _found(answer: T | None, key: str, reader: Reader) -> T:
    if answer is None:
        raise UnknownFlowError(key, reader.nearest(key), replayed=reader.replayed)
    return answer
