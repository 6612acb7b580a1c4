"""Which documents did a search return? Elasticsearch and OpenSearch wrap each in what they know of it."""

from typing import Any


def unwrapped(document: Any) -> Any:
    """The sources of a search's hits, of several searches, or of a list of hits; anything else as it is."""
    if isinstance(document, list):
        wrapped = any(isinstance(entry, dict) and "_source" in entry for entry in document)
        return [unwrapped(entry) for entry in document] if wrapped else document
    if not isinstance(document, dict):
        return document
    if isinstance(document.get("_source"), dict):
        return document["_source"]
    hits = document.get("hits")
    if isinstance(hits, dict) and isinstance(hits.get("hits"), list):
        return [unwrapped(hit) for hit in hits["hits"]]
    responses = document.get("responses")
    if isinstance(responses, list) and any(isinstance(one, dict) and "hits" in one for one in responses):
        found = [unwrapped(one) for one in responses]
        return [source for one in found for source in (one if isinstance(one, list) else [one])]
    return document
