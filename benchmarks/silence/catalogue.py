"""All scenes."""

from benchmarks.silence import (
    handling_scenes,
    healthy_scenes,
    outage_scenes,
    telemetry_scenes,
    waiting_scenes,
)

SCENES = (
    *healthy_scenes.SCENES,
    *waiting_scenes.SCENES,
    *telemetry_scenes.SCENES,
    *outage_scenes.SCENES,
    *handling_scenes.SCENES,
)
BY_NAME = {scene.name: scene for scene in SCENES}
