"""Which families are known? Most trusted first: if a span has attributes of several, the first one counts.

A new family is a module here with its `LORE`, a line in `FAMILIES`, and a table of cases in
`tests/families/<name>_cases.py`.
"""

from collector.conventions.families import (
    aws,
    azure,
    background_jobs,
    brave,
    celery,
    cloudevents,
    dapr,
    faststream,
    google_pubsub,
    jms,
    kafka,
    masstransit,
    nats,
    nservicebus,
    opentracing,
    pulsar,
    rabbitmq,
    recorded_events,
    rocketmq,
    scheduled_jobs,
    semantic_conventions,
    wolverine,
)
from collector.conventions.lore import Lore

FAMILIES: tuple[Lore, ...] = (
    recorded_events.LORE,
    semantic_conventions.LORE,
    cloudevents.LORE,
    celery.LORE,
    nservicebus.LORE,
    masstransit.LORE,
    wolverine.LORE,
    background_jobs.LORE,
    kafka.LORE,
    rocketmq.LORE,
    azure.LORE,
    nats.LORE,
    rabbitmq.LORE,
    google_pubsub.LORE,
    pulsar.LORE,
    dapr.LORE,
    jms.LORE,
    aws.LORE,
    faststream.LORE,
    brave.LORE,
    opentracing.LORE,
    scheduled_jobs.LORE,
)
