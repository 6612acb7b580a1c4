"""What did people write down as expected? Reads the file, and watches it. See docs/expectations.md."""

from collector.declaring.declarations import read
from collector.declaring.declared_file import DeclaredFile, load
from collector.declaring.file_shape import json_schema
from collector.declaring.mistakes import DeclarationError, Mistake

__all__ = ["DeclarationError", "DeclaredFile", "Mistake", "json_schema", "load", "read"]
