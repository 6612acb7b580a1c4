"""Is the group behind?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import published, reactor
from collector.model.wording import duration


def backlog(case: Case, life: Life) -> Proof | None:
    """The group is alive but behind: since this message was published it has only taken older ones."""
    if case.debt is not Debt.REACTION or life.served is None or life.last is None:
        return None
    if life.served >= case.published or life.last <= case.since:
        return None
    behind = duration((case.now - life.served) / 1e9)
    sentence = (
        f"{case.service} works but is behind: it now handles the {case.stopped_at.event_type} of {behind} "
        "ago, and this one waits for its turn."
    )
    evidence = Evidence(
        "absence",
        None,
        f"the newest {case.stopped_at.event_type} that {reactor(case)} took was published {behind} ago",
    )
    return Proof(sentence, (published(case), evidence))
