"""RocketMQ's clients."""

from tests.families.cases import Case

CASES = (
    Case(
        about="the group of a client",
        attributes={"messaging.system": "rocketmq", "messaging.rocketmq.client_group": "packers"},
        read={"group": "packers"},
    ),
)
