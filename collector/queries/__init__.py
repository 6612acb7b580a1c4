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
from collector.queries.deleting import DeletionError, Unwanted, unwanted_of
from collector.queries.dismissing import DismissalError, Never, never_of
from collector.queries.errand import Errand, GivenUpError
from collector.queries.expectation_list import Only
from collector.queries.lines import Asked, asked
from collector.queries.paging import PART, Page, Part, QuestionError, page, part
from collector.queries.reader import Reader
from collector.queries.sources import Sources
from collector.queries.workers import ApartError, Workers

__all__ = [
    "PART",
    "ApartError",
    "Asked",
    "DecisionError",
    "DeletionError",
    "DismissalError",
    "Errand",
    "GivenUpError",
    "Never",
    "Only",
    "Page",
    "Part",
    "QuestionError",
    "Reader",
    "Sources",
    "TooEarlyError",
    "TooManyDecisionsError",
    "UnknownStepError",
    "Unwanted",
    "Wish",
    "Workers",
    "asked",
    "never_of",
    "page",
    "part",
    "unwanted_of",
    "wish_of",
]
