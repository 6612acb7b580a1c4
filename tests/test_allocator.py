"""Which allocator does a process use? That depends on what should become of the memory it frees."""

import platform
import subprocess
import sys

import pytest

GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.parametrize(("choice", "pool"), [("keep", "system"), ("give_back", "jemalloc")])
@pytest.mark.skipif(not GLIBC, reason="the C library has no mallopt")
def test_a_process_chooses_what_becomes_of_its_memory(choice: str, pool: str) -> None:
    code = (
        f"import pyarrow; from collector import allocator; allocator.{choice}();"
        "print(pyarrow.default_memory_pool().backend_name, len(pyarrow.array(range(9))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [pool, "9"]
