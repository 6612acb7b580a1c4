"""Writes the JSON schema of declared expectations from the table that the reader uses: `make schema`."""

import json
from pathlib import Path

from collector.declaring import json_schema

SCHEMA = Path(__file__).parent.parent / "docs" / "expectations.schema.json"


def written() -> str:
    """What the file should hold."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(written(), encoding="utf-8")
