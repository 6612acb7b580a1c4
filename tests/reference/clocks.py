"""What do messages say about the clocks of two services? Read one edge at a time."""

from tests.reference.edges import Stitcher

# The least and the most that the second service's clock is ahead of the first one's, and the number of edges.
Bounds = tuple[int | None, int | None, int]


def clocks_of(told: Stitcher) -> dict[tuple[str, str], Bounds]:
    """For each pair of services, by name: the bounds that the edges between them set."""
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
