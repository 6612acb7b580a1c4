"""Which values are shown as words of their own, although a rule hides the attribute that they came from?"""

from collections.abc import Iterator

from collector.conventions.read import words_of
from collector.conventions.said import Naming

_WHAT = {
    "flow key": (
        "Lists, addresses and searches name flows by it. Take it out of CHOREOSCOPE_FLOW_KEYS, or have its"
        " senders write a key that may be seen."
    ),
    "event type": "It says what happened. Have its senders write a name that may be seen.",
    "destination": "It says where messages go. Have its senders write a name that may be seen.",
    "group": "It says who consumes. Have its senders write a name that may be seen.",
    "system": "It says which broker it is. Have its senders write a name that may be seen.",
    "service": "It says who did it. Have its senders write a name that may be seen.",
}


def still_shown(naming: Naming) -> Iterator[str]:
    """For each kind of word that a rule cannot hide: what is still shown, and what to do."""
    told: set[str] = set()
    for what, names in words_of(naming).items():
        mine = [name for name in naming.hiding.of(names) if name not in told]
        told |= set(mine)
        if mine:
            listed = ", ".join(mine[:5]) + (" ..." if len(mine) > 5 else "")
            yield f"CHOREOSCOPE_HIDE hides {listed}, which is still shown as {what}. {_WHAT[what]}"
