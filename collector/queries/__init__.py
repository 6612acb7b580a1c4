"""Every question that a reader may ask, as functions with frozen answers.

There is no HTTP here: the API and the commands are faces of this package.
"""

from collector.queries.deciding import (
    DecisionError,
    TooEarlyError,
    TooManyDecisionsError,
    UnknownStepError,
    Wish,
    wish_of,
)
from collector.queries.errand import Errand, GivenUpError
from collector.queries.expectation_list import Only
from collector.queries.paging import PART, Page, Part, QuestionError, page, part
from collector.queries.reader import Reader
from collector.queries.sources import Sources
from collector.queries.workers import ApartError, Workers

__all__ = [
    "PART",
    "ApartError",
    "DecisionError",
    "Errand",
    "GivenUpError",
    "Only",
    "Page",
    "Part",
    "QuestionError",
    "Reader",
    "Sources",
    "TooEarlyError",
    "TooManyDecisionsError",
    "UnknownStepError",
    "Wish",
    "Workers",
    "page",
    "part",
    "wish_of",
]
