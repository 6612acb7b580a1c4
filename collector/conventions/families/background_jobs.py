"""Background jobs (Sidekiq, Resque, Delayed Job, Oban, BullMQ, Laravel): a message is a job of a class.

They share one queue, usually called "default", so only the class says what happened. Rails' ActiveJob says it
in the attribute for the class of any code, with the name of its adapter as the system.
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
            "messaging.active_job.job_class",
        )
    },
    event_types_of=(
        (
            "active_job",
            "activejob",
            "async",
            "backburner",
            "delayed",
            "delayed_job",
            "good_job",
            "inline",
            "que",
            "queue_classic",
            "resque",
            "shoryuken",
            "sidekiq",
            "sneakers",
            "solid_queue",
            "sucker_punch",
        ),
        ("code.namespace",),
    ),
)
