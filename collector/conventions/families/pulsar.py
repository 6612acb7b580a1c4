"""Pulsar, and who names partitions as it does: each partition of a topic has a name of its own."""

from collector.conventions.lore import Lore

LORE = Lore(
    # `persistent://public/default/parcels-partition-2` becomes `persistent://public/default/parcels`.
    generated=((r"[-_.](?:partition|shard)[-_.]\d+$", ""),),
)
