"""Has any pinned package a known flaw? `make audit`: pip-audit, and a list of what is installed (SBOM).

Where the service that knows the flaws cannot be reached, one line says so, and nothing fails.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_SBOM = "sbom.cdx.json"


def main(tools: Path) -> int:
    """Audit with the programs in *tools*; return 1 if a package has a known flaw."""
    listed = subprocess.run(
        [tools / "cyclonedx-py", "environment", ROOT / ".venv", "--of", "JSON", "-o", ROOT / _SBOM],
        check=False,
    )
    print(f"{_SBOM}: {'what is installed' if listed.returncode == 0 else 'it could not be written'}")
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    # One package first: if nothing is known of it, the service is not there, and nobody need ask on.
    for packages in ([one for one in pinned if one.startswith("protobuf==")], pinned):
        found = _audited(tools, packages)
        known = [one for one in found if "skip_reason" not in one]
        if not known:
            print("nothing was audited: the service that knows the flaws cannot be reached from here")
            return 0
        flawed = [one for one in known if one["vulns"]]
        for one in flawed:
            print(f"{one['name']} {one['version']}: {', '.join(flaw['id'] for flaw in one['vulns'])}")
        if flawed:
            return 1
    print(f"{len(known)} of {len(pinned)} packages audited, without a known flaw")
    return 0


def _audited(tools: Path, packages: list[str]) -> list[Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(packages))
        file.flush()
        command = [str(tools / "pip-audit"), "-r", file.name, "--disable-pip", "--no-deps", "-f", "json"]
        done = subprocess.run(
            [*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False
        )
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
