"""Are the names of one broker one name, and are all others left alone?"""

import pyarrow as pa
import pytest

from collector.conventions.same_broker import brokers


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("aws_sqs", "AmazonSQS", True),
        ("aws.sns", "aws.sqs", True),
        ("gcp_pubsub", "google_pubsub", True),
        ("servicebus", "azure_servicebus", True),
        ("kafka", "rabbitmq", False),
        ("aws_sqs", "kafka", False),
        ("kafka", "Kafka", False),
    ],
)
def test_spellings_of_one_broker_are_one(one: str, other: str, same: bool) -> None:
    column = pa.array([one, None, other, one]).dictionary_encode()
    first, nothing, second, again = brokers(column).to_pylist()

    assert ((first == second), nothing, again) == (same, None, first)
