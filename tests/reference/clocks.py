"""What messages say of the clocks of two services, one edge at a time."""

from tests.reference.edges import Stitcher

# At least and at most how far the second service's clock is ahead of the first one's, by how many edges.
Bounds = tuple[int | None, int | None, int]


def clocks_of(told: Stitcher) -> dict[tuple[str, str], Bounds]:
    """Of each two services, by name, what the edges between them say."""
    found: dict[tuple[str, str], Bounds] = {}
    for (_, source, target), because in told.edges.items():
        if source not in told.spans or because not in ("link", "parent"):
            continue
        first, second = told.spans[source], told.spans[target]
        if first["service"] == second["service"] or min(first["start"], second["start"]) <= 0:
            continue
        after = told.had_after(source, target)
        pair = first["service"], second["service"]
        key = min(pair), max(pair)
        low, high, edges = found.get(key, (None, None, 0))
        if pair == key:
            high = after if high is None else min(high, after)
        else:
            low = -after if low is None else max(low, -after)
        found[key] = low, high, edges + 1
    return found
