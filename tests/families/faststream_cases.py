"""FastStream, whose middlewares name no operation in the spans around a batch."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    Case(about="the span around a batch", name="orders create", read={"role": Role.RECEIVE}),
    Case(
        about="a producer's create stays one",
        name="orders create",
        kind=Kind.PRODUCER,
        read={"role": Role.CREATE, "destination": "orders"},
    ),
    Case(
        about="the destination of its consumers",
        name="orders process",
        attributes={"messaging.destination_publish.name": "orders"},
        read={"role": Role.PROCESS, "destination": "orders"},
    ),
)
