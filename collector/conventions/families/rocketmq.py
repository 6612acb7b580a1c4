"""RocketMQ: its clients name their group."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"group": ("messaging.rocketmq.client_group",)})
