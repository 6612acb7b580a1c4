"""Jobs that are scheduled first, and sent later by a poller."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    Case(
        about="a name that says it alone",
        name="low scheduled",
        kind=Kind.PRODUCER,
        attributes={"messaging.system": "sidekiq", "messaging.destination": "low"},
        read={"role": Role.CREATE},
    ),
    Case(
        about="an operation",
        kind=Kind.PRODUCER,
        attributes={"messaging.system": "sidekiq", "messaging.operation": "schedule"},
        read={"role": Role.CREATE},
    ),
)
