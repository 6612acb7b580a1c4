"""Job queues, such as Sidekiq's: a job that is scheduled is created, and sent when it is due."""

from collector.conventions.lore import Lore
from collector.model.readings import Role

LORE = Lore(operations={"schedule": Role.CREATE, "scheduled": Role.CREATE})
