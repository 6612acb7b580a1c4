"""Which tests run in one process? Those of a file, and all of the dashboard's: they share what they started.

xdist's own groups do nothing with pytest 9.2: each test went to any process, and each process started all.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Groups that take long, in seconds. They go first: the last of them would keep one process busy while the
# others have nothing left to do.
_LONG: dict[str, int] = {}
_TOGETHER = "tests/dashboard"


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives each process one group after another, the longest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _TOGETHER if file.startswith(f"{_TOGETHER}/") else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=lambda group: (_LONG.get(group, 0), len(self.workqueue[group])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
