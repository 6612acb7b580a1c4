"""Amazon SQS and SNS: deleting a message acknowledges it, and a topic is named by its ARN.

Botocore and other clients name a span by the call, and say nothing else of what it does.
"""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    # A topic hands its messages on to queues.
    systems=("aws_sqs", "aws.sqs", "amazonsqs", "sqs", "aws_sns", "aws.sns", "amazonsns", "sns"),
    operations={
        "sqs.sendmessage": Role.SEND,
        "sqs.sendmessagebatch": Role.SEND,
        "sns.publish": Role.SEND,
        "sns.publishbatch": Role.SEND,
        "sqs.receivemessage": Role.RECEIVE,
        "sqs.deletemessage": Role.SETTLE,
        "sqs.deletemessagebatch": Role.SETTLE,
    },
    settles={
        "delete": Settled.ACKED,
        "sqs.deletemessage": Settled.ACKED,
        "sqs.deletemessagebatch": Settled.ACKED,
    },
    keeps=("change_message_visibility", "changemessagevisibility"),
    event_types=(
        # `arn:aws:sns:eu-west-1:1234:orders` becomes `orders`,
        (r"^arn:(?:[^:]*:){4}([^:]+)$", r"\1"),
        # and so does `https://sqs.eu-west-1.amazonaws.com/123456789012/orders`.
        (r"^https?://[^/]+/\d{12}/([^/]+)$", r"\1"),
    ),
)
