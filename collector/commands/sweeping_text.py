"""Formats what was dismissed or deleted as text for a terminal."""

from typing import Any, TypeAlias

from collector.commands.calling import called
from collector.commands.terminal import clean, harmless, short
from collector.model.wording import counted, duration, moment

Document: TypeAlias = dict[str, Any]

_FEW = 5  # names on one line


def dismissed(document: Document) -> str:
    """What was stored, and how to take it back."""
    flows = counted(document["flows"], "flow")
    what = f": {clean(document['incident'])}" if document["incident"] else ""
    some = ", ".join(map(short, document["examples"]))
    more = document["flows"] - len(document["examples"])
    named = f"  {some}{f' and {more:,} more' if more else ''}"
    if document["undo"]:
        return f"{flows} shown again{what}.\n{named}"
    return (
        f"{flows} dismissed as {'it stands' if document['flows'] == 1 else 'they stand'}{what}.\n{named}\n"
        f"They are listed with: {called('flows', '--state', 'dismissed')}"
    )


def beside(document: Document) -> list[str]:
    """What is said wherever stuck flows are counted: how many are dismissed."""
    if not document.get("dismissed"):
        return []
    return [f"{document['dismissed']:,} dismissed: {called('flows', '--state', 'dismissed')}"]


def by_whom(said: Document) -> str:
    """Who dismissed a flow, when and why."""
    return clean(f"dismissed by {said['author']} at {moment(said['time_unix_nano'], 0)}: {said['reason']}")


def deleted(document: Document) -> str:
    """What would go, or what has gone."""
    spans, what = counted(document["spans"], "span"), _conditions(document)
    flows = _flows(document["whole_flows"], document["flows"] - document["whole_flows"])
    lines = [*_counts("by service", document["services"]), *_counts("by day of arrival", document["days"])]
    if document["examples"]:
        lines.append(f"  such as: {', '.join(map(short, document['examples'][:_FEW]))}")
    if document["state"] == "dry_run":
        head = f"Would delete {spans} {what}: nothing was changed. {flows}"
        return "\n".join([head, *lines, "", "To do it, add --yes and --reason TEXT."])
    if document["state"] == "failed":
        return f"Failed: {clean(document['error'] or '')} Some spans {what} may be gone; delete them again."
    took = duration((document["ended_unix_nano"] - document["time_unix_nano"]) / 1e9)
    lines = [f"Deleted {spans} {what} in {took}. {flows}", *lines]
    lines.append("They leave the disk within minutes, when the store drops the files that held them.")
    if document["service"]:
        forget = called("expectations", "--service", document["service"])
        lines.append(f"What is expected of it stays: {harmless(forget)} shows it, and 'forget' ends it.")
    return "\n".join(lines)


def _flows(whole: int, cut: int) -> str:
    """How many flows go as a whole, and how many stay without a part."""
    gone = f"{counted(whole, 'stored flow')} {'loses all its' if whole == 1 else 'lose all their'} spans"
    left = f"{'loses' if cut == 1 else 'lose'} some of {'its' if cut == 1 else 'their'} spans"
    if not cut:
        return f"{gone}." if whole else "No stored flow loses spans."
    return f"{gone}, {cut:,} {left}." if whole else f"{counted(cut, 'stored flow')} {left}."


def _conditions(document: Document) -> str:
    parts = [f"of {short(document['service'])}"] if document["service"] else []
    if document["before_unix_nano"]:
        parts.append(f"received before {moment(document['before_unix_nano'], 0)}")
    parts += [f"of the flow {short(document['flow'])}"] if document["flow"] else []
    return " and ".join(parts)


def _counts(head: str, counts: dict[str, int]) -> list[str]:
    if not counts:
        return []
    shown = list(counts.items())[:10]
    more = f", and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    return [f"  {head}: {', '.join(f'{short(name)} {number:,}' for name, number in shown)}{more}"]
