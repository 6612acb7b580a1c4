"""Draws a flow for other programs: converts the document of `flow` or `stitch` to their languages.

Names from spans are data in each of these languages: they can neither end a label nor start markup.
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
