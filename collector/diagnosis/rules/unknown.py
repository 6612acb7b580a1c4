"""What is said if no cause can be proved?"""

from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import habit, published, reactor, sender
from collector.model.wording import duration


def unknown(case: Case, life: Life) -> Proof | None:
    """No other cause can be proved."""
    sentence = (
        f"{case.service} has not taken {case.stopped_at.event_type}{sender(case)}, which was due within "
        f"{duration(case.due_ms / 1e3)}. It takes others, so why not this one can not be told from spans."
    )
    evidence = Evidence("absence", None, f"no reaction of {reactor(case)} to this message; {habit(case)}")
    return Proof(sentence, (published(case), evidence))
