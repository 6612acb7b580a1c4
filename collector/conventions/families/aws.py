"""Amazon's SQS and SNS: a message is deleted when it is done with, and a topic has a long name."""

from collector.conventions.lore import Lore
from collector.model.readings import Settled

LORE = Lore(
    settles={"delete": Settled.ACKED},
    # Of `arn:aws:sns:eu-west-1:1234:orders` the topic.
    event_types=((r"^arn:(?:[^:]*:){4}([^:]+)$", r"\1"),),
)
