"""The search line: one text by which pages, commands and API ask for flows. Only this package reads it.

- A line is a number of terms with white space between them. Each must hold.
- A term is text (a word, or anything in quotes), or a field, a colon and values with commas between them,
  of which one must be met. A "-" before a field or before quotes turns it round.
- A value is a name, or a comparison: an operator and a quantity, or two quantities with ".." between them.
"""

from collector.queries.lines.asked import Asked, asked
from collector.queries.lines.search_line import FIELDS, Line, Problem, Read, read

__all__ = ["FIELDS", "Asked", "Line", "Problem", "Read", "asked", "read"]
