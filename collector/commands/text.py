"""Formats answers as text for a terminal. Names from spans lose their control characters."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from collector.model.wording import counted, duration

Document: TypeAlias = dict[str, Any]

_STATES = {"stuck": "stuck", "failed": "failed for good", "late": "late"}
_NOT_KNOWN_YET = (
    "Nothing is known yet: the collector has just started, and goes through what came before. "
    "Ask again in some seconds."
)
_MOST = 60  # characters of a name
_LONG = re.compile(rf"\S{{{_MOST + 1},}}")


def stuck(document: Document, now: int) -> str:
    """The cohorts, then each finding in two lines."""
    found = document["stuck"]
    if not found:
        return "Nothing is stuck." if document["replayed"] else _NOT_KNOWN_YET
    flows = document["flows"]
    oldest = duration((now - min(finding["since_unix_nano"] for finding in found)) / 1e9)
    verb = "is" if flows == 1 else "are"
    states = {finding["state"] for finding in found}
    words = [said for state, said in _STATES.items() if state in states]
    lines = [f"{counted(flows, 'flow')} {verb} {' or '.join(words)}, the oldest for {oldest}.", ""]
    rows = [
        (
            _name(cohort["missing_service"]),
            " and ".join(map(_name, cohort["triggers"])),
            str(cohort["cause"]),
            counted(cohort["flows"], "flow"),
            duration((now - cohort["first_unix_nano"]) / 1e9),
        )
        for cohort in document["cohorts"]
    ]
    lines += table(("MISSING", "AFTER", "CAUSE", "FLOWS", "SINCE"), rows)
    lines.append("")
    for finding in found:
        age = duration((now - finding["since_unix_nano"]) / 1e9)
        lines.append(f"{_name(finding['key'] or finding['flow'])}  {finding['state']} for {age}")
        lines.append(f"    {_clean(finding['sentence'])}")
    if len(found) < document["total"]:
        lines += ["", f"The oldest {len(found):,} of {document['total']:,} findings: --limit shows more."]
    return "\n".join(lines)


def flows(document: Document, now: int) -> str:
    """A table of flows."""
    rows = [
        (
            item["state"],
            _name(item["key"] or item["id"]),
            _name(item["last_event_type"] or ""),
            _name(item["waiting_for"] or item["outcome"] or ""),
            f"{duration(max(now - item['started_unix_nano'], 0) / 1e9)} ago",
            _took(item),
            str(item["messages"]),
        )
        for item in document["flows"]
    ]
    if not rows:
        return "No flow."
    lines = table(("STATE", "FLOW", "LAST EVENT", "WAITS FOR / OUTCOME", "STARTED", "TOOK", "MESSAGES"), rows)
    if len(rows) < document["total"]:
        lines.append(f"{len(rows):,} of {document['total']:,} flows")
    return "\n".join(lines)


def _took(item: Document) -> str:
    """The time from the first to the last event of a flow that is over."""
    if item["state"] != "done":
        return ""
    return duration(max(item["last_unix_nano"] - item["started_unix_nano"], 0) / 1e9)


def flow(document: Document) -> str:
    """One flow as a tree: a message, who reacted to it, what they published."""
    item = document["flows"][0]
    state = f" {item['state']}" if "state" in item else ""
    traces = counted(len(item["traces"]), "trace")
    head = f"{_name(item['key'] or item['id'])}{state}: {_counts(item)}, {traces}"
    findings = [f"  {_clean(finding['sentence'])}" for finding in document.get("findings", [])]
    notes = sorted({f"  note: {note['text']}" for note in document["notes"]})
    return "\n".join([head, *findings, *notes, "", *_tree(document)])


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
            f"{item['id']}  {_name(item['key'] or item['traces'][0])}: {_counts(item)}",
            *_tree(mine),
        ]
    kinds = sorted({note["kind"] for note in document["notes"]})
    for kind in kinds:
        same = [note for note in document["notes"] if note["kind"] == kind]
        parts += ["", f"note, {counted(len(same), 'time')}: {_clean(same[0]['text'])}"]
    return "\n".join(parts)


def why(document: Document, key: str) -> str:
    """The findings of one flow with their evidence."""
    if not document["stuck"]:
        return f"Nothing is overdue in {_name(key)}." if document["replayed"] else _NOT_KNOWN_YET
    lines: list[str] = []
    for finding in document["stuck"]:
        lines += [
            _clean(finding["sentence"]),
            f"  cause: {finding['cause']}, {finding['overdue_s']:.1f} s overdue",
        ]
        lines += [f"  - {_clean(fact['text'])}" for fact in finding["evidence"]]
        if finding["blocked"]:
            lines.append(f"  blocked: {_clean(', '.join(finding['blocked']))}")
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
            _name(row["event_type"]),
            _name(row["service"] if row["service"] == row["group"] else f"{row['service']} ({row['group']})"),
            f"{row['count']:,}",
            f"{row['share']:.0%}",
            duration(row["wait_ms"]["p95"] / 1e3),
            duration(row["work_ms"]["p95"] / 1e3),
            _clean(", ".join(emits.get((row["service"], row["event_type"]), []))),
        )
        for row in document["reactions"]
    ]
    head = counted(document["flows"], "flow")
    if document["flows"] < document.get("flows_in_window", 0):
        head = f"the newest {head} of {document['flows_in_window']:,}"
    lines = [head, "", *table(("AFTER", "REACTS", "COUNT", "SHARE", "WAIT P95", "WORK P95", "THEN"), rows)]
    lines += ["", "variants:"]
    for variant in document["variants"][:10]:
        lines.append(
            f"  {variant['share']:>4.0%}  {_clean(', '.join(variant['events']))}  {variant['outcome']}"
        )
    return "\n".join(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


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
            missing = f"{_name(service)}: {_name(event)}" if event else _name(service)
            branch = "├╌" if children or number < len(gaps) else "└╌"
            lines.append(f"{follow}{branch} ? {missing} is missing, {duration(finding['overdue_s'])} overdue")
        for place, child in reversed(list(enumerate(children))):
            last = place == len(children) - 1
            stack.append((child, follow + ("└─ " if last else "├─ "), follow + ("   " if last else "│  ")))
    return lines


def _node(ref: str, messages: Document, reactions: Document) -> str:
    if ref in messages:
        message = messages[ref]
        return f"{_name(message['event_type'])}  by {_name(message['service'])}"
    reaction = reactions[ref]
    took = duration(max(reaction["end_unix_nano"] - reaction["start_unix_nano"], 0) / 1e9)
    tries = f", {reaction['attempts']} attempts" if reaction["attempts"] > 1 else ""
    failed = ", failed" if reaction["status"] == "error" else ""
    return f"> {_name(reaction['service'])}  {took}{tries}{failed}"


def _counts(item: Document) -> str:
    return f"{counted(item['messages'], 'message')}, {counted(item['reactions'], 'reaction')}"


def _sums(document: Document) -> str:
    return ", ".join(
        counted(len(document[name]), name[:-1]) for name in ("messages", "reactions", "edges", "flows")
    )


def _clean(text: str) -> str:
    """*text* without control characters for the terminal, and with long words cut: JSON has them in full."""
    harmless = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return _LONG.sub(lambda word: _brief(word[0]), harmless)


def _name(text: str) -> str:
    """A key or name from a span, which may be as long as a page, shortened to part of a line."""
    return _brief(_clean(text))


def _brief(text: str) -> str:
    """The beginning and the end of a long *text*, which tell it from others."""
    if len(text) <= _MOST:
        return text
    return f"{text[: _MOST // 2]}\N{HORIZONTAL ELLIPSIS}{text[1 - _MOST + _MOST // 2 :]}"
