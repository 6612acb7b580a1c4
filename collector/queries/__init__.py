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
from collector.queries.expectation_list import Only
from collector.queries.paging import Page, QuestionError, page
from collector.queries.reader import Reader
from collector.queries.sources import Sources

__all__ = [
    "DecisionError",
    "DeletionError",
    "DismissalError",
    "Never",
    "Only",
    "Page",
    "QuestionError",
    "Reader",
    "Sources",
    "TooEarlyError",
    "TooManyDecisionsError",
    "UnknownStepError",
    "Unwanted",
    "Wish",
    "never_of",
    "page",
    "unwanted_of",
    "wish_of",
]
