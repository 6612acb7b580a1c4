"""Celery: a message requests a task, whose name is the event type."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"event_type": ("celery.task_name",)})
