"""What does a file of declared expectations say? Its bytes as frozen values, or all of its mistakes."""

from collector.declaring.bounded_yaml import Scalar, parse
from collector.declaring.containers import Fields
from collector.declaring.file_shape import FILE
from collector.declaring.mistakes import Mistakes, quotable
from collector.diagnosis.declared import Declared, DeclaredJoin, DeclaredReaction, Responsible

_NOTHING = Fields(0, {}, {})


def read(data: bytes, file: str) -> Declared:
    """What *data* declares, the content of *file*; raise `DeclarationError` if it has a mistake."""
    mistakes = Mistakes(file)
    node = parse(data, mistakes)
    if node is None or (isinstance(node, Scalar) and not node.text):
        # A file that is just being written is empty, too: that must not end what is in force.
        if not mistakes.found:
            mistakes.add(0, f"it is empty: expected {FILE.expected}. Write at least 'reactions: []'.")
        mistakes.check()
    assert node is not None
    fields = FILE.read(node, "the file", mistakes)
    if fields is not None:
        _check_once(fields, mistakes)
        _check_joins(fields, mistakes)
        _check_ignored(fields, mistakes)
        if not fields.lines and not mistakes.found:
            mistakes.add(0, f"it is empty: expected {FILE.expected}. Write at least 'reactions: []'.")
    mistakes.check()
    assert fields is not None
    return _declared(fields)


def _declared(fields: Fields) -> Declared:
    ignored = fields.get("ignore", _NOTHING)
    return Declared(
        reactions=tuple(
            DeclaredReaction(
                event_type=one.get("after"),
                service=one.get("service"),
                group=one.get("group"),
                publishes=one.get("publishes"),
                within_ms=one.get("within"),
                optional=one.get("optional", False),
            )
            for one in fields.get("reactions", ())
        ),
        joins=tuple(
            DeclaredJoin(one.get("service"), one.get("needs"), one.get("publishes"), one.get("within"))
            for one in fields.get("joins", ())
        ),
        ends=frozenset(fields.get("ends", ())),
        ignored_events=frozenset(ignored.get("events", ())),
        ignored_services=frozenset(ignored.get("services", ())),
        services={
            name: Responsible(one.get("owner"), one.get("runbook"))
            for name, one in fields.get("services", {}).items()
        },
    )


def _check_once(fields: Fields, mistakes: Mistakes) -> None:
    """Note what is declared twice: nobody could tell which of them counts."""
    reactions: dict[tuple[str, str], dict[str | None, int]] = {}
    for one in fields.get("reactions", ()):
        if one.get("after") is None or one.get("service") is None:
            continue
        group = one.get("group")
        others = reactions.setdefault((one.get("after"), one.get("service")), {})
        # Without a group it is about all of them, so it leaves no room for another one.
        clash = others.get(group) or others.get(None) or (min(others.values()) if others and not group else 0)
        if clash:
            what = f"the reaction of {quotable(one.get('service'))} to {quotable(one.get('after'))}"
            advice = "Remove one, or give each its 'group'."
            mistakes.add(one.line, f"{what} is there already, in line {clash}: expected it once. {advice}")
        others.setdefault(group, one.line)
    joins: dict[tuple[str, frozenset[str]], int] = {}
    for one in fields.get("joins", ()):
        key = (one.get("service"), frozenset(one.get("needs", ())))
        if key in joins and all(key):
            what = f"a join of {quotable(key[0])} with the same 'needs'"
            mistakes.add(
                one.line,
                f"{what} is there already, in line {joins[key]}: expected it once."
                " Remove one, or list what both publish.",
            )
        joins.setdefault(key, one.line)


def _check_joins(fields: Fields, mistakes: Mistakes) -> None:
    """Note reactions that lead by themselves to what a join needs more for."""
    alone = {(one.get("service"), one.get("after")): one for one in fields.get("reactions", ())}
    for join in fields.get("joins", ()):
        for need in join.get("needs", ()):
            reaction = alone.get((join.get("service"), need), _NOTHING)
            both = set(reaction.get("publishes") or ()).intersection(join.get("publishes", ()))
            for name in sorted(both):
                text = f"{quotable(name)} needs more than {quotable(need)} by the join in line {join.line}"
                mistakes.add(
                    reaction.line, f"{text}: expected either of the two. Remove it from 'publishes'."
                )


def _check_ignored(fields: Fields, mistakes: Mistakes) -> None:
    """Note what is expected and ignored at once."""
    ignored = fields.get("ignore", _NOTHING)
    events, services = set(ignored.get("events", ())), set(ignored.get("services", ()))
    for one in (*fields.get("reactions", ()), *fields.get("joins", ())):
        after = one.get("needs", ()) or (one.get("after"),)
        for what, names, kind in ((after, events, "events"), ((one.get("service"),), services, "services")):
            for name in (name for name in what if name in names):
                text = (
                    f"{quotable(name)} is ignored in line {ignored.lines[kind]}: expected either of the two."
                )
                mistakes.add(one.line, f"{text} Remove one.")
