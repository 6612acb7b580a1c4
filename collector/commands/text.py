"""Formats answers as text for a terminal. Names from spans lose their control characters."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from collector.commands.expectation_text import NOT_KNOWN_YET, beside, calm
from collector.commands.sweeping_text import beside as gone
from collector.commands.sweeping_text import by_whom
from collector.commands.terminal import clean, harmless, short, table, tinted
from collector.model.flow_cells import cells_of
from collector.model.wording import counted, duration, moment

Document: TypeAlias = dict[str, Any]

SET_ASIDE = (
    "It has too many spans to be judged: it may be stuck, and nobody knows. Do several runs share its key?"
)

KEYLESS = (
    "The newest flows have no flow key, so none can be found by an order's number: put it into baggage as"
    " order.id, or name the attribute that has it in CHOREOSCOPE_FLOW_KEYS (choreoscope doctor counts them)."
)

_DEEPEST = 120  # characters of indentation
_STATES = {"stuck": "stuck", "failed": "failed for good", "late": "late"}


def stuck(document: Document, now: int, *, flows: bool = False) -> str:
    """A line for each incident, and one that says it; with *flows*, then each finding in two lines."""
    found = document["stuck"]
    if not found:
        return "\n".join([*calm(document), *gone(document)]) if document["replayed"] else NOT_KNOWN_YET
    count = document["flows"]
    oldest = _age(now, min(finding["since_unix_nano"] for finding in found))
    verb = "is" if count == 1 else "are"
    states = {finding["state"] for finding in found}
    words = [said for state, said in _STATES.items() if state in states]
    lines = [
        tinted(f"{counted(count, 'flow')} {verb} {' or '.join(words)}, the oldest for {oldest}.", "head"),
        *gone(document),
        *beside(document),
        "",
    ]
    rows = [
        (
            tinted(short(cohort["missing_service"]), "missing"),
            " and ".join(map(short, cohort["triggers"])),
            str(cohort["cause"]),
            counted(cohort["flows"], "flow"),
            _age(now, cohort["first_unix_nano"]),
        )
        for cohort in document["cohorts"]
    ]
    head, *incidents = table(("MISSING", "AFTER", "CAUSE", "FLOWS", "SINCE"), rows)
    lines.append(head)
    for line, cohort in zip(incidents, document["cohorts"], strict=True):
        lines += [line, *_said_of(cohort, found)]
    if not flows:
        return "\n".join([*lines, "", "--flows lists them."])
    lines.append("")
    for finding in found:
        state = tinted(finding["state"], finding["state"])
        lines.append(
            f"{short(finding['key'] or finding['flow'])}  {state} for {_age(now, finding['since_unix_nano'])}"
        )
        lines.append(f"    {clean(finding['sentence'])}")
    if len(found) < document["total"]:
        lines += ["", f"The oldest {len(found):,} of {document['total']:,} findings: --limit shows more."]
    return "\n".join(lines)


def _said_of(cohort: Document, found: list[Document]) -> list[str]:
    """The sentence that says an incident: its own, or that of its oldest finding."""
    own = [finding["sentence"] for finding in found if finding.get("cohort") == cohort.get("id")]
    said = cohort.get("sentence") or next(iter(own), "")
    return [f"    {clean(said)}"] if said else []


def _age(now: int, since: int) -> str:
    """How long *since* is ago; nothing if the collector's clock is ahead of ours."""
    return duration(max(now - since, 0) / 1e9)


def flows(document: Document, now: int, columns: Sequence[str] = ()) -> str:
    """A table of flows; with *columns*, of these, as in CSV."""
    rows = (
        [tuple(map(short, cells_of(item, columns))) for item in document["flows"]]
        if columns
        else [
            (
                "set aside" if item.get("set_aside") else tinted(item["state"], item["state"]),
                short(item["key"] or item["id"]),
                short(item["last_event_type"] or ""),
                by_whom(item["dismissed"])
                if item.get("dismissed")
                else tinted(short(item["waiting_for"]), "missing")
                if item["waiting_for"]
                else short(item["outcome"] or ""),
                f"{duration(max(now - item['started_unix_nano'], 0) / 1e9)} ago",
                _took(item),
                str(item["messages"]),
            )
            for item in document["flows"]
        ]
    )
    if not rows:
        keyless = [KEYLESS] if document.get("keyless") else []
        return "\n".join(["No flow.", *like(document.get("nearest", [])), *keyless])
    head = ("STATE", "FLOW", "LAST EVENT", "WAITS FOR / OUTCOME", "STARTED", "TOOK", "MESSAGES")
    lines = table([name.upper() for name in columns] or head, rows)
    if len(rows) < document["total"]:
        lines.append(f"{len(rows):,} of {document['total']:,} flows")
    return "\n".join(lines)


def like(names: list[str]) -> list[str]:
    """What may have been meant by a name that nothing has."""
    return [f"Names like it: {', '.join(map(short, names))}"] if names else []


def problems(line: Document) -> list[str]:
    """What cannot be read of a search line: why, and where it is."""
    text = harmless(line["text"])
    found = []
    for problem in line["problems"]:
        marks = " " * problem["start"] + "^" * (problem["end"] - problem["start"])
        found += [harmless(problem["sentence"]), f"  {text}", f"  {marks}"]
    return found


def _took(item: Document) -> str:
    """The time from the first to the last event of a flow that is over."""
    if item["state"] != "done":
        return ""
    return duration(max(item["last_unix_nano"] - item["started_unix_nano"], 0) / 1e9)


def flow(document: Document) -> str:
    """One flow as a tree: a message, who reacted to it, what they published."""
    item = document["flows"][0]
    state = f" {tinted(item['state'], item['state'])}" if "state" in item else ""
    traces = counted(len(item["traces"]), "trace")
    head = f"{short(item['key'] or item['id'])}{state}: {_counts(item)}, {traces}"
    findings = [f"  {clean(finding['sentence'])}" for finding in document.get("findings", [])]
    if item.get("set_aside"):
        findings.insert(0, f"  {SET_ASIDE}")
    notes = sorted({f"  note: {note['text']}" for note in document["notes"]})
    said = [f"  {by_whom(item['dismissed'])}"] if item.get("dismissed") else []
    return "\n".join([head, *said, *_part(document), *findings, *notes, "", *_tree(document)])


def _part(document: Document) -> list[str]:
    """Which part of a flow is shown, and what leads to the parts beside it; nothing if it is all of it."""
    if document.get("shown", 0) >= document.get("spans", 0):  # also if an older collector answered
        return []
    before, shown = document["before"], document["shown"]
    lines = [f"  showing {shown:,} of {document['spans']:,} spans: {before + 1:,} to {before + shown:,}"]
    for name, word in (("earlier_cursor", "what came before"), ("later_cursor", "what came after")):
        if document[name]:
            lines.append(f"  {word}: --cursor {document[name]}")
    return lines


def stitched(document: Document) -> str:
    """The flows of files, each as a tree."""
    parts = [
        f"{counted(document['spans'], 'span')} in {counted(document['traces'], 'trace')}: {_sums(document)}",
    ]
    for item in document["flows"]:
        mine = {**document, "flows": [item]}
        for name in ("messages", "reactions"):
            mine[name] = [node for node in document[name] if item["id"] in node.get("flows", [node["flow"]])]
        parts += [
            "",
            f"{item['id']}  {short(item['key'] or item['traces'][0])}: {_counts(item)}",
            *_tree(mine),
        ]
    kinds = sorted({note["kind"] for note in document["notes"]})
    for kind in kinds:
        same = [note for note in document["notes"] if note["kind"] == kind]
        parts += ["", f"note, {counted(len(same), 'time')}: {clean(same[0]['text'])}"]
    return "\n".join(parts)


def why(document: Document, key: str) -> str:
    """The findings of one flow with their evidence."""
    lines = [clean(note["text"]) for note in document.get("notes", [])]  # an older collector has none
    if document.get("set_aside"):
        lines.append(f"{short(key)}: {SET_ASIDE}")
    if not document["stuck"]:
        said = f"Nothing is overdue in {short(key)}." if document["replayed"] else NOT_KNOWN_YET
        return "\n".join(lines or [said])
    for finding in document["stuck"]:
        lines += [
            clean(finding["sentence"]),
            f"  cause: {finding['cause']}, {finding['overdue_s']:.1f} s overdue",
        ]
        lines += [f"  - {clean(fact['text'])}" for fact in finding["evidence"]]
        for before in finding["history"][:-1]:
            at = moment(before["time_unix_nano"], 0)
            lines.append(f"  since {at} it was {before['cause']}: {clean(before['because'])}")
        if finding["blocked"]:
            lines.append(f"  blocked: {clean(', '.join(finding['blocked']))}")
    if len(document["stuck"]) < document.get("total", 0):
        lines.append(f"The oldest {len(document['stuck']):,} of {document['total']:,} findings.")
    return "\n".join(lines)


def choreography(document: Document) -> str:
    """Who reacts to what, one line per reaction."""
    if not document["events"]:
        return "Nothing was received in this window."
    emits: dict[tuple[str, str], list[str]] = {}
    for emit in document["emits"]:
        emits.setdefault((emit["service"], emit["event_type"]), []).append(
            f"{emit['emits']} {emit['share']:.0%}"
        )
    rows = [
        (
            short(row["event_type"]),
            short(row["service"] if row["service"] == row["group"] else f"{row['service']} ({row['group']})"),
            f"{row['count']:,}",
            f"{row['share']:.0%}",
            duration(row["wait_ms"]["p95"] / 1e3),
            duration(row["work_ms"]["p95"] / 1e3),
            clean(", ".join(emits.get((row["service"], row["event_type"]), []))),
        )
        for row in document["reactions"]
    ]
    head = counted(document["flows"], "flow")
    if document["flows"] < document.get("flows_in_window", 0):
        head = f"a sample: {head} of {document['flows_in_window']:,}"
    lines = [head, "", *table(("AFTER", "REACTS", "COUNT", "SHARE", "WAIT P95", "WORK P95", "THEN"), rows)]
    lines += ["", "variants:"]
    for variant in document["variants"][:10]:
        lines.append(
            f"  {variant['share']:>4.0%}  {clean(', '.join(variant['events']))}  {variant['outcome']}"
        )
    return "\n".join(lines)


def _tree(document: Document) -> list[str]:
    messages = {item["ref"]: item for item in document["messages"]}
    reactions = {item["ref"]: item for item in document["reactions"]}
    below: dict[str, list[str]] = {}
    caused = set()
    for edge in document["edges"]:
        if edge["to"] in messages or edge["to"] in reactions:
            below.setdefault(edge["from"], []).append(edge["to"])
            caused.add(edge["to"] if edge["from"] in messages or edge["from"] in reactions else None)
    owed: dict[str, list[Document]] = {}
    for finding in document.get("findings", []):
        owed.setdefault(finding["stopped_at"]["ref"], []).append(finding)
    lines: list[str] = []
    shown: set[str] = set()
    # An explicit stack, because a flow may be deeper than Python's own stack allows.
    roots = [ref for ref in (*messages, *reactions) if ref not in caused]
    stack = [(ref, "", "") for ref in reversed(roots)]
    while stack:
        ref, lead, follow = stack.pop()
        again = ref in shown
        shown.add(ref)
        lines.append(lead + _node(ref, messages, reactions) + ("  (see above)" if again else ""))
        children = [] if again else below.get(ref, [])
        gaps = owed.get(ref, [])
        for number, finding in enumerate(gaps, 1):
            service, event = finding["missing"]["service"], finding["missing"]["next_event_type"]
            missing = f"{short(service)}: {short(event)}" if event else short(service)
            branch = "├╌" if children or number < len(gaps) else "└╌"
            said = f"? {missing} is missing, {duration(finding['overdue_s'])} overdue"
            lines.append(f"{follow}{branch} {tinted(said, 'missing')}")
        for place, child in reversed(list(enumerate(children))):
            last = place == len(children) - 1
            # A chain of thousands would take megabytes of blanks, and no terminal is as wide.
            inner = (follow + ("   " if last else "│  "))[-_DEEPEST:]
            stack.append((child, follow + ("└─ " if last else "├─ "), inner))
    return lines


def _node(ref: str, messages: Document, reactions: Document) -> str:
    if ref in messages:
        message = messages[ref]
        return f"{short(message['event_type'])}  by {short(message['service'])}"
    reaction = reactions[ref]
    took = duration(max(reaction["end_unix_nano"] - reaction["start_unix_nano"], 0) / 1e9)
    tries = f", {reaction['attempts']} attempts" if reaction["attempts"] > 1 else ""
    failed = ", failed" if reaction["status"] == "error" else ""
    return f"> {short(reaction['service'])}  {took}{tries}{failed}"


def _counts(item: Document) -> str:
    return f"{counted(item['messages'], 'message')}, {counted(item['reactions'], 'reaction')}"


def _sums(document: Document) -> str:
    return ", ".join(
        counted(len(document[name]), name[:-1]) for name in ("messages", "reactions", "edges", "flows")
    )
