"""What is said if no cause can be proved?"""

from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import habit, published, reactor, sender
from collector.model.wording import duration


def unknown(case: Case, life: Life) -> Proof | None:
    """No other cause can be proved."""
    handled = case.stopped_at.event_type
    sentence = f"No span of {case.service} for this {handled}{sender(case)} was seen, which was due within "
    sentence += f"{duration(case.due_ms / 1e3)}. "
    if life.served is not None and life.served > case.published:
        sentence += "It takes later ones: this one was not delivered to it, or its span was lost."
    else:
        sentence += (
            f"It usually takes one at least every {duration(life.usual / 1e9)}, and the last was "
            f"{duration((case.now - life.last) / 1e9)} ago: whether it is down cannot be said yet."
            if life.last
            else "Why cannot be told from spans."
        )
    evidence = Evidence("absence", None, f"no reaction of {reactor(case)} to this message; {habit(case)}")
    return Proof(sentence, (published(case), evidence))
