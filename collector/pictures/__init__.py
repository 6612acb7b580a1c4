"""A flow as a picture, for other programs: the document of `flow` or of `stitch` -> text in their language.

Names out of spans are data in each of these languages: they can neither end a label nor begin markup.
"""

from collections.abc import Callable, Mapping
from typing import Any

from collector.pictures.dot import dot
from collector.pictures.graphml import graphml
from collector.pictures.mermaid import mermaid
from collector.pictures.svg import svg

PICTURES: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "mermaid": mermaid,
    "dot": dot,
    "graphml": graphml,
    "svg": svg,
}

__all__ = ["PICTURES", "dot", "graphml", "mermaid", "svg"]
