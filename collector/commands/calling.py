"""How the user calls this program: what is shown as a command can be copied and runs."""

import shlex
import shutil
import sysconfig
from pathlib import Path


def called(*words: str) -> str:
    """`choreoscope` with *words*, as it can be called from the current folder.

    By its bare name where PATH leads to this very program; else by its path, which is shortest
    from the folder that holds the environment.
    """
    # The dashboard, which must not import the collector, says the same: see `dashboard.page`.
    ours = Path(sysconfig.get_path("scripts")).resolve() / "choreoscope"
    on_path = shutil.which("choreoscope")
    if not ours.exists() or (on_path and Path(on_path).samefile(ours)):
        return shlex.join(["choreoscope", *words])
    here = Path.cwd()
    return shlex.join([str(ours.relative_to(here) if ours.is_relative_to(here) else ours), *words])
