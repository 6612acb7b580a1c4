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
