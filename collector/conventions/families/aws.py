"""Amazon SQS and SNS: deleting a message acknowledges it, and a topic is named by its ARN."""

from collector.conventions.lore import Lore
from collector.model.readings import Settled

LORE = Lore(
    settles={"delete": Settled.ACKED},
    keeps=("change_message_visibility", "changemessagevisibility"),
    # `arn:aws:sns:eu-west-1:1234:orders` becomes `orders`.
    event_types=((r"^arn:(?:[^:]*:){4}([^:]+)$", r"\1"),),
)
