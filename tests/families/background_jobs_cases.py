"""Libraries of background jobs, each with its attribute for what is to be done."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    *(
        Case(
            about=f"Rails' ActiveJob, on {system}",
            name="default publish",
            kind=Kind.PRODUCER,
            attributes={
                "messaging.system": system,
                "code.namespace": "PackJob",
                "messaging.destination": "default",
            },
            read={"role": Role.SEND, "event_type": "PackJob", "typed": True},
        )
        for system in ("sidekiq", "good_job", "solid_queue", "Resque")
    ),
    Case(
        about="the class of any code elsewhere",
        name="parcels publish",
        kind=Kind.PRODUCER,
        attributes={
            "messaging.system": "kafka",
            "code.namespace": "Sender",
            "messaging.destination": "parcels",
        },
        read={"role": Role.SEND, "event_type": "parcels", "typed": False},
    ),
    Case(
        about="a job of Rails that names its class",
        name="default process",
        attributes={"messaging.system": "que", "messaging.active_job.job_class": "PackJob"},
        read={"role": Role.PROCESS, "event_type": "PackJob"},
    ),
    *(
        Case(
            about=f"{kind.name} {name} {destination}",
            name=f"default {verb}",
            kind=kind,
            attributes={name: "Shop::PackJob", destination: "default", "messaging.message_id": "7"},
            read={"role": role, "event_type": "Shop::PackJob", "destination": "default", "message_id": "7"},
        )
        for kind, verb, role in (
            (Kind.PRODUCER, "publish", Role.SEND),
            (Kind.CONSUMER, "process", Role.PROCESS),
        )
        for destination in ("messaging.destination", "messaging.destination.name")
        for name in (
            "messaging.sidekiq.job_class",
            "messaging.resque.job_class",
            "messaging.delayed_job.name",
            "messaging.oban.worker",
            "oban.job.worker",
            "messaging.bullmq.job.name",
            "bullmq.job.name",
            "messaging.message.job_name",
        )
    ),
    Case(
        about="a class that only the span's name tells",
        name="PackJob publish",
        kind=Kind.PRODUCER,
        attributes={"messaging.system": "sidekiq", "messaging.destination": "default"},
        read={"event_type": "PackJob", "destination": "default"},
    ),
)
