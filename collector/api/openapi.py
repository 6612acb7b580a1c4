"""The API's OpenAPI description, with the shapes of the answers from `model.answers`."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from collector.model.answers import Answer, Error, Flow, Flows, Map, Spans, Stitched, Stuck, Summary, Why

# What a path answers with: these, and what they are made of, are described.
ANSWERS: tuple[type[Answer], ...] = (Error, Flow, Flows, Map, Spans, Stitched, Stuck, Summary, Why)

_TEMPLATE = "#/components/schemas/{name}"


def response(answer: type[Answer], description: str = "Successful Response") -> dict[str, Any]:
    """The OpenAPI entry of a response with the shape of *answer*."""
    schema = {"$ref": _TEMPLATE.format(name=answer.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of *app*."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        description=app.description,
    )
    _, shapes = msgspec.json.schema_components(ANSWERS, ref_template=_TEMPLATE)
    document.setdefault("components", {}).setdefault("schemas", {}).update(shapes)
    return document
