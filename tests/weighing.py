"""How much numpy data does an object hold? Its slices keep alive what they were cut from."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def bytes_of(one: object) -> int:
    """Bytes of all arrays that *one* reaches, each counted once, with the arrays they are slices of."""
    owners = {id(owner): owner.nbytes for owner in map(_owner, _arrays(one, set()))}
    return sum(owners.values())


def _owner(array: Any) -> Any:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _arrays(one: Any, met: set[int]) -> Iterator[Any]:
    if id(one) in met:
        return
    met.add(id(one))
    if isinstance(one, np.ndarray):
        yield one
    elif isinstance(one, Mapping):
        for value in one.values():
            yield from _arrays(value, met)
    elif isinstance(one, list | tuple | set | frozenset):
        for value in one:
            yield from _arrays(value, met)
    elif hasattr(one, "__dict__"):
        yield from _arrays(vars(one), met)
