"""Background jobs (Sidekiq, Resque, Delayed Job, Oban, BullMQ, Laravel): a message is a job of a class.

They share one queue, usually called "default", so only the class says what happened.
"""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={
        "event_type": (
            "messaging.sidekiq.job_class",
            "messaging.resque.job_class",
            "messaging.delayed_job.name",
            "messaging.oban.worker",
            "oban.job.worker",
            "messaging.bullmq.job.name",
            "bullmq.job.name",
            "messaging.message.job_name",
        )
    }
)
