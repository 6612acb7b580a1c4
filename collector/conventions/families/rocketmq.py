"""RocketMQ: clients name their consumer group."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"group": ("messaging.rocketmq.client_group",)})
