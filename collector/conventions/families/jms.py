"""JMS and Solace: a requester has a temporary queue or topic for its answers, which nobody else reads."""

from collector.conventions.lore import Lore

LORE = Lore(
    # Java's agent; ActiveMQ; Artemis; Solace.
    inboxes=("(temporary)", "temp-queue://", "temp-topic://", "jms.tempqueue.", "#P2P/QTMP/"),
    generated=(
        (r"^(temp-(?:queue|topic)://).*$", r"\1*"),
        (r"^(?:ID:|(?:queue|topic)://ID:).*$", "(temporary)"),
        (r"^(#P2P/QTMP/).*$", r"\1*"),
    ),
)
