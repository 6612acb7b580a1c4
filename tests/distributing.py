"""Which tests run in one process? Those of a file, and all of the dashboard's: they share what they started.

xdist's own groups do nothing with pytest 9.2: each test went to any process, and each process started all.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# The groups that take longest begin first, in this order: else the last would keep one process busy while the
# others have nothing left to do. Those that wait for processes are mixed with those that compute.
_FIRST = (
    "tests/dashboard",
    "tests/test_end_to_end.py",
    "tests/test_silence.py",
    "tests/test_store_folder.py",
    "tests/test_verdicts.py",
    "tests/sample_services/test_lifecycle.py",
    "tests/test_store_server.py",
    "tests/sample_services/test_faults.py",
    "tests/test_process.py",
    "tests/test_calm.py",
    "tests/test_runner.py",
    "tests/hostile/test_doors.py",
    "tests/test_outages.py",
    "tests/test_live_learning.py",
    "tests/test_crash.py",
    "tests/test_memory.py",
    "tests/test_deletion_run.py",
    "tests/test_shares.py",
    "tests/test_api.py",
    "tests/test_store_command.py",
    "tests/test_sweeping.py",
    "tests/test_torture.py",
    "tests/test_live.py",
    "tests/test_commands.py",
    "tests/test_store_mending.py",
)
_TOGETHER = "tests/dashboard"


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives each process one group after another, the longest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _TOGETHER if file.startswith(f"{_TOGETHER}/") else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        waiting = self.workqueue
        known = [group for group in _FIRST if group in waiting]
        longest = known[0] if known else max(waiting, key=lambda group: len(waiting[group]))
        waiting.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
