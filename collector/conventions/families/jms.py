"""JMS and Solace: temporary queues and topics, which only one client reads."""

from collector.conventions.lore import Lore

LORE = Lore(
    generated=(
        (r"^(temp-(?:queue|topic)://).*$", r"\1*"),
        (r"^(?:ID:|(?:queue|topic)://ID:).*$", "(temporary)"),
        (r"^(#P2P/QTMP/).*$", r"\1*"),
    ),
)
