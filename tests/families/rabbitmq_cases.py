"""RabbitMQ: all events of a shop may go to one exchange, so the routing key says what happened."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

SHOP = {"messaging.system": "rabbitmq", "messaging.destination.name": "shop"}

CASES = (
    *(
        Case(
            about=f"{name}, {kind.name}",
            name=name,
            kind=kind,
            attributes=said,
            read={"role": Role.SETTLE, "settled": settled},
        )
        for name, settled in (
            ("basic.ack", Settled.ACKED),
            ("basic.nack", Settled.NACKED),
            ("basic.reject", Settled.NACKED),
        )
        for kind, said in ((Kind.CLIENT, {}), (Kind.CLIENT, SHOP), (Kind.CONSUMER, SHOP))
    ),
    *(
        Case(
            about=f"the exchange {exchange}, which every queue has",
            name=f"{exchange} publish",
            kind=Kind.PRODUCER,
            attributes={
                **SHOP,
                "messaging.destination.name": exchange,
                "messaging.rabbitmq.routing_key": "x",
            },
            read={"event_type": "x", "destination": exchange},
        )
        for exchange in ("<default>", "amq.default")
    ),
    *(
        Case(
            about=name,
            kind=Kind.PRODUCER,
            attributes={**SHOP, name: "order.placed"},
            read={"event_type": "order.placed", "destination": "shop"},
        )
        for name in ("messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key")
    ),
    Case(
        about="an empty routing key says nothing",
        kind=Kind.PRODUCER,
        attributes={**SHOP, "messaging.rabbitmq.destination.routing_key": ""},
        read={"event_type": "shop"},
    ),
    Case(
        about="a queue that the broker named",
        kind=Kind.PRODUCER,
        attributes={"messaging.destination.name": "amq.gen-Kz7LqWp2TnEaYcXd0MvB4g"},
        read={"event_type": "amq.gen-*", "general": True},
    ),
    Case(
        about="a routing key where no exchange is named",
        kind=Kind.PRODUCER,
        attributes={"messaging.rabbitmq.routing_key": "order.placed"},
        read={"event_type": "order.placed", "destination": "order.placed"},
    ),
    *(
        Case(
            about=f"{kind.name}: {name}, where replies go and events come from",
            kind=kind,
            attributes=said,
            read=read,
        )
        for name in ("amq.gen-Xa93", "spring.gen-Xa93")
        for kind, said, read in (
            (Kind.PRODUCER, {"messaging.destination.name": name}, {"role": Role.REPLY}),
            (Kind.PRODUCER, {**SHOP, "messaging.rabbitmq.routing_key": name}, {"role": Role.REPLY}),
            (Kind.CONSUMER, {"messaging.destination.name": name}, {"role": Role.PROCESS}),
        )
    ),
    *(
        Case(
            about=f"{tag} and {channel}",
            attributes={**SHOP, tag: 12, channel: 4},
            read={"delivery_tag": "4/12", "record": None},
        )
        for tag, channel in (
            ("messaging.rabbitmq.message.delivery_tag", "messaging.rabbitmq.channel.id"),
            ("messaging.rabbitmq.delivery_tag", "messaging.rabbitmq.channel"),
        )
    ),
    *(
        Case(
            about=f"{kind.name}: direct reply-to answers a request",
            kind=kind,
            attributes={"messaging.destination.name": name},
            read={"role": role},
        )
        for name in (
            "amq.rabbitmq.reply-to.g1h2AA5y.8ykeVYir",
            "easynetq.response.6f0e3c52",
            "rpc.reply-prices-6f0e3c52",
        )
        for kind, role in ((Kind.PRODUCER, Role.REPLY), (Kind.CONSUMER, Role.ANSWERED))
    ),
)
