"""Dapr: the sidecars publish and deliver, in spans of clients and servers that name no operation."""

from collector.conventions.lore import Lore
from collector.model.readings import Role

LORE = Lore(
    system="pubsub",
    # The one who delivers is called by the topic, whatever its kind (it is SERVER or CLIENT).
    names=(
        (r"pubsub/.+", Role.PROCESS),
        (r"(?:.*/)?(?:bulk)?publishevent(?:alpha1)?|.*/publish/.+", Role.SEND),
    ),
)
