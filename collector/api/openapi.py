"""Describes the API: for programs by OpenAPI, with the shapes of `model.answers`; for people by one page."""

from collections.abc import Callable
from html import escape
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from collector.model.answers import (
    Answer,
    Backup,
    Connections,
    Consumers,
    Decision,
    Deletion,
    Deletions,
    Dismissal,
    Error,
    Expectations,
    Flow,
    Flows,
    Map,
    Spans,
    Stitched,
    Store,
    Stuck,
    Summary,
    Why,
)

# What a path answers with: these, and what they are made of, are described.
ANSWERS: tuple[type[Answer], ...] = (
    Backup,
    Connections,
    Consumers,
    Decision,
    Deletion,
    Deletions,
    Dismissal,
    Error,
    Expectations,
    Flow,
    Flows,
    Map,
    Spans,
    Stitched,
    Store,
    Stuck,
    Summary,
    Why,
)

_TEMPLATE = "#/components/schemas/{name}"


def response(answer: type[Answer], description: str = "Successful Response") -> dict[str, Any]:
    """The OpenAPI entry of a response with the shape of *answer*."""
    schema = {"$ref": _TEMPLATE.format(name=answer.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def question(app: FastAPI, address: str, answer: type[Answer]) -> Callable[[Any], Any]:
    """Decorates what answers a GET of *address* below /api/v1 with an *answer*."""
    return app.get(f"/api/v1{address}", response_model=None, responses={200: response(answer)})


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


_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}h2{font-size:1.05rem;margin:2rem 0 .2rem}"
    "table{border-collapse:collapse}td{padding:.15rem 1rem .15rem 0;vertical-align:top}p{margin:.2rem 0}"
)


def manual(openapi: dict[str, Any]) -> str:
    """HTML that lists the paths of *openapi*, their parameters and the fields of their answers."""
    parts = [f"<h1>{escape(openapi['info']['title'])} API</h1><p>{escape(openapi['info']['summary'])}</p>"]
    parts.append('<p>The same for programs: <a href="openapi.json">openapi.json</a></p>')
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('description', ''))}</p>")
            parts.append(_table(map(_parameter, operation.get("parameters", []))))
            parts.append(_fields(operation, openapi))
    head = f"<!doctype html><meta charset=utf-8><title>Choreoscope API</title><style>{_STYLE}</style>"
    return head + "".join(parts)


def _parameter(parameter: dict[str, Any]) -> tuple[str, str]:
    default = parameter["schema"].get("default")
    said = parameter.get("description") or parameter["schema"].get("type", "")
    return parameter["name"], said + (f" Default {default}." if default not in (None, "") else "")


def _fields(operation: dict[str, Any], openapi: dict[str, Any]) -> str:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    shape = openapi.get("components", {}).get("schemas", {}).get(name)
    if not shape:
        return ""
    fields = ", ".join(f"<code>{escape(field)}</code>" for field in shape["properties"])
    return f"<p>Answers {fields}</p>"


def _table(rows: Any) -> str:
    cells = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(text)}" for name, text in rows)
    return f"<table>{cells}</table>" if cells else ""
