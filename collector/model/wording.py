"""Units of time, and how people write durations and counts."""

import numpy as np

MS = 10**6  # in nanoseconds, as all of these
SECOND = 1_000 * MS
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def moment(at: int, now: int) -> str:
    """`10:03:12 UTC`; with the date before it if *at* is more than twelve hours from *now*."""
    text = str(np.datetime64(at, "ns"))[:19].replace("T", " ")
    return f"{text if abs(now - at) > 12 * HOUR else text[11:]} UTC"


def day_of(at: int) -> str:
    """The date of *at* in UTC, such as `2026-11-16`."""
    return str(np.datetime64(at, "ns"))[:10]


def duration(seconds: float) -> str:
    """`218 ms`, `1.96 s`, `41 s`, `14 m`, `3 h`, `2 d`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.0f} m"
    if seconds < 84600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"


def counted(n: int, one: str, many: str | None = None) -> str:
    """`1 flow`, `31 flows`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """`30 %`, `99.7 %`; never 0 or 100 for a share that is only close to it."""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return f"{int(share * 1000) / 10:.1f} %"
    return f"{share * 100:.0f} %"
