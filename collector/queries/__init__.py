"""Every question a reader may ask: functions and frozen answers, no HTTP. The API and the commands are faces."""

from collector.queries.paging import Page, QuestionError, page
from collector.queries.reader import Reader
from collector.queries.sources import Sources

__all__ = ["Page", "QuestionError", "Reader", "Sources", "page"]
