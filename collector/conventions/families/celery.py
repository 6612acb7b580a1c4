"""Celery: a message requests a task, whose name is the event type."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={"event_type": ("celery.task_name",)},
    # The name of a span that says nothing else: `apply_async/shop.tasks.pack`.
    event_types=((r"^(?:apply_async|run)/(.+)$", r"\1"),),
)
