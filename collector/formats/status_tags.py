"""How did a span end, by its tags? Knows those of OpenTracing, Zipkin and OpenTelemetry's exporters."""

from collections.abc import Mapping
from typing import Any

from collector.formats.otlp.json_shapes import State
from collector.formats.records import text
from collector.model.spans import Status

CODE, DESCRIPTION, ERROR = "otel.status_code", "otel.status_description", "error"


def status(tags: Mapping[str, Any]) -> State:
    """The status. A description takes precedence over the text of `error`, which may be just "true"."""
    said = text(tags.get(ERROR)) if ERROR in tags else None
    failed = said is not None and said.lower() != "false"
    code = Status.__members__.get(text(tags.get(CODE)).upper().removeprefix("STATUS_CODE_"))
    if code is None:
        code = Status.ERROR if failed else Status.UNSET
    message = text(tags.get(DESCRIPTION))
    if code is Status.ERROR and not message and said and said.lower() not in {"true", "false"}:
        message = said
    return {"code": code.value, "message": message}


def tells(name: str, value: Any) -> bool:
    """Whether a tag only repeats the status."""
    return name in {CODE, DESCRIPTION} or (name == ERROR and text(value).lower() == "true")
