"""How does the user call this program? Commands that are shown can be copied and run."""

import shlex
import shutil
import sysconfig
from pathlib import Path


def called(*words: str) -> str:
    """`choreoscope` with *words*, as it can be called from the current folder.

    By its bare name if PATH leads to this very program; otherwise by its path, which is shortest from the
    folder that holds the environment.
    """
    # The dashboard must not import the collector, so it has a copy: see `dashboard.page`.
    ours = Path(sysconfig.get_path("scripts")).resolve() / "choreoscope"
    on_path = shutil.which("choreoscope")
    if not ours.exists() or (on_path and Path(on_path).samefile(ours)):
        return shlex.join(["choreoscope", *words])
    here = Path.cwd()
    return shlex.join([str(ours.relative_to(here) if ours.is_relative_to(here) else ours), *words])
