"""Did it happen, without a context that says in which flow?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import reactor
from collector.model.wording import counted, moment


def context_lost(case: Case, life: Life) -> Proof | None:
    """The service published or handled about as many of these without a context as flows wait for."""
    orphans = life.orphans
    if orphans is None or case.debt not in {Debt.MESSAGE, Debt.JOIN, Debt.REACTION}:
        return None
    if 2 * orphans.times < case.alike:  # most of what is missing has another cause
        return None
    verb = "publishes" if orphans.published else "handles"
    since = moment(orphans.since, case.now)
    sentence = (
        f"{case.service} {verb} {orphans.what} without context since {since}: {orphans.times:,} of them, "
        f"and {counted(case.alike, 'flow waits', 'flows wait')} for it. "
        "Which belongs to which flow cannot be told."
    )
    seen = f"{counted(orphans.times, orphans.what)} of {reactor(case)} that no span caused, since {since}"
    at = Evidence("span", case.stopped_at.ref, f"{case.stopped_at.service}: {case.stopped_at.event_type}")
    return Proof(sentence, (at, Evidence("absence", None, seen)))
