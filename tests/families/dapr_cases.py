"""Dapr's sidecars, from 1.0 on: over gRPC and HTTP, as servers or clients."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

TOPIC = {
    "messaging.system": "pubsub",
    "messaging.destination": "parcels",
    "messaging.destination_kind": "topic",
}
GRPC = "/dapr.proto.runtime.v1.Dapr/"

CASES = (
    *(
        Case(
            about=f"{kind.name} {name}",
            name=name,
            kind=kind,
            attributes=TOPIC,
            read={"role": role, "event_type": "parcels"},
        )
        for kind in (Kind.CLIENT, Kind.SERVER)
        for name, role in (
            (f"{GRPC}PublishEvent", Role.SEND),
            (f"{GRPC}BulkPublishEventAlpha1", Role.SEND),
            ("PublishEvent", Role.SEND),
            ("BulkPublishEvent", Role.SEND),
            ("/v1.0/publish/shop-bus/parcels", Role.SEND),
            ("pubsub/parcels", Role.PROCESS),
        )
    ),
    Case(
        about="the call of the service itself to its sidecar",
        name=f"{GRPC}PublishEvent",
        kind=Kind.CLIENT,
        attributes={"rpc.system": "grpc", "rpc.service": "dapr.proto.runtime.v1.Dapr"},
        read={"role": Role.NONE},
    ),
    Case(
        about="another call through the sidecar",
        name=f"{GRPC}GetState",
        kind=Kind.CLIENT,
        attributes={"db.system": "state"},
        read={"role": Role.NONE},
    ),
    Case(about="a page of that name", name="pubsub/parcels", kind=Kind.SERVER, read={"role": Role.NONE}),
)
