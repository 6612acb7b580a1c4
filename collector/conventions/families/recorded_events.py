"""Log records that tell of a span or an event: `formats/otlp/log_records.py` makes spans of them."""

from collector.conventions.lore import Lore
from collector.model.readings import Role

# What the record became counts before all that it says: its attributes may be those of its span.
LORE = Lore(
    attributes={
        "operation": ("choreoscope.log_record",),
        "event_type": ("choreoscope.event_name",),
    },
    operations={
        "span_event": Role.REPORT,
        "event_in_span": Role.RECORDED,
        "event_without_span": Role.SEND,
    },
)
