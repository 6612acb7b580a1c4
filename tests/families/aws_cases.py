"""SQS and SNS, as OpenTelemetry's instrumentations of Amazon's clients write them."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

ARN = "arn:aws:sns:eu-west-1:123456789012:orders"
SETTLE = {"messaging.system": "aws_sqs", "messaging.operation.type": "settle"}

CASES = (
    Case(
        about="a topic is its last part, and stays whole as a destination",
        name="orders send",
        kind=Kind.PRODUCER,
        attributes={"messaging.system": "aws.sns", "messaging.destination.name": ARN},
        read={"role": Role.SEND, "event_type": "orders", "destination": ARN},
    ),
    Case(
        about="a name that only looks like one",
        kind=Kind.PRODUCER,
        attributes={"messaging.destination.name": "arn:aws:sns:eu-west-1:123456789012:"},
        read={"event_type": "arn:aws:sns:eu-west-1:*:"},
    ),
    *(
        Case(
            about=call,
            name=call,
            kind=Kind.CLIENT,
            attributes={
                "rpc.system": "aws-api",
                "rpc.method": call.partition(".")[2],
                "messaging.system": "aws.sqs",
                "messaging.url": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
                "messaging.message_id": "m-9",
            },
            read={"role": role, "event_type": "orders", "message_id": "m-9", "settled": settled},
        )
        for call, role, settled in (
            ("SQS.SendMessage", Role.SEND, Settled.UNSAID),
            ("SQS.SendMessageBatch", Role.SEND, Settled.UNSAID),
            ("SNS.Publish", Role.SEND, Settled.UNSAID),
            ("SNS.PublishBatch", Role.SEND, Settled.UNSAID),
            ("Sqs.ReceiveMessage", Role.RECEIVE, Settled.UNSAID),
            ("SQS.DeleteMessage", Role.SETTLE, Settled.ACKED),
            ("SQS.DeleteMessageBatch", Role.SETTLE, Settled.ACKED),
        )
    ),
    Case(
        about="a call that concerns no message",
        name="SQS.GetQueueUrl",
        kind=Kind.CLIENT,
        attributes={"messaging.system": "aws.sqs", "messaging.url": "https://sqs/123456789012/orders"},
        read={"role": Role.NONE},
    ),
    Case(
        about="a message is deleted when it is done with",
        name="DeleteMessage",
        kind=Kind.CLIENT,
        attributes={**SETTLE, "messaging.operation.name": "delete"},
        read={"role": Role.SETTLE, "settled": Settled.ACKED},
    ),
    *(
        Case(
            about=f"a consumer that keeps its message: {verb}",
            attributes={"messaging.system": "aws_sqs", "messaging.operation.name": verb},
            read={"role": Role.NONE},
        )
        for verb in ("change_message_visibility", "ChangeMessageVisibility")
    ),
)
