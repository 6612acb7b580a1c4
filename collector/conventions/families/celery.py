"""Celery: a message asks for a task, and the task's name says what is asked."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"event_type": ("celery.task_name",)})
