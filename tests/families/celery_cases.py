"""Celery, as OpenTelemetry's instrumentation for Python writes it."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    *(
        Case(
            about=name,
            name=name,
            kind=kind,
            attributes={
                "celery.task_name": "shop.tasks.pack",
                "messaging.destination": "celery",
                "messaging.message.id": "5f3e",
            },
            read={
                "role": role,
                "event_type": "shop.tasks.pack",
                "destination": "celery",
                "message_id": "5f3e",
            },
        )
        for name, kind, role in (
            ("apply_async/shop.tasks.pack", Kind.PRODUCER, Role.SEND),
            ("run/shop.tasks.pack", Kind.CONSUMER, Role.PROCESS),
        )
    ),
    *(
        Case(
            about=f"{name}, which only its name tells",
            name=name,
            kind=kind,
            attributes={"messaging.destination": "celery"},
            read={"role": role, "event_type": "shop.tasks.pack"},
        )
        for name, kind, role in (
            ("apply_async/shop.tasks.pack", Kind.PRODUCER, Role.SEND),
            ("run/shop.tasks.pack", Kind.CONSUMER, Role.PROCESS),
        )
    ),
)
