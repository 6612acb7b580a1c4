"""The spans of many bodies under OTLP's own field names: what both decoders produce."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Octets = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rows:
    """One row per span. Each int array has an index per span, into what several spans share."""

    # The fields of OTLP's `Span` under their protobuf names; text is binary, values have the form of
    # `values`.
    spans: pa.StructArray
    body: Ints  # the request it came in
    resources: pa.BinaryArray  # encoded
    resource: Ints
    scopes: pa.BinaryArray  # encoded
    scope: Ints
    spelled: pa.StructArray | None = None  # only if ids were hex: the spans as they were written

    def where(self, mask: Bools) -> "Rows":
        """The rows that *mask* marks."""
        kept = self.spans.filter(pa.array(mask))
        return Rows(kept, self.body[mask], self.resources, self.resource[mask], self.scopes, self.scope[mask])


@dataclass(frozen=True, slots=True)
class Refusal:
    """How many spans of a body were refused, and why the first of them was."""

    spans: int
    message: str


def repeat(values: Sequence[int] | Ints, lists: pa.ListArray) -> Ints:
    """Each value as often as its list has entries: the parent indices of the flattened lists."""
    return np.repeat(np.asarray(values, np.int32), lengths(lists))


def lengths(lists: pa.ListArray) -> Ints:
    """The length of each list; a null is empty."""
    counts = pc.list_value_length(lists)
    return np.asarray(pc.fill_null(counts, 0) if counts.null_count else counts, np.int32)


def offsets(counts: Ints) -> pa.Array:
    """The offsets of a `ListArray` whose lists have *counts* entries."""
    bounds = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=bounds[1:])
    return pa.array(bounds)


def parts(column: pa.Array) -> tuple[Ints, Octets]:
    """A binary column's offsets (one more than rows) and bytes, without a copy."""
    _, bounds, data = column.buffers()
    starts = np.frombuffer(bounds, np.int32, len(column) + 1, column.offset * 4) if len(column) else _NONE
    return starts, np.frombuffer(data, np.uint8) if data is not None and data.size else _EMPTY


def with_fields(
    structs: pa.StructArray, change: Mapping[str, Callable[[pa.Array], pa.Array]]
) -> pa.StructArray:
    """*structs* with some of their fields transformed."""
    columns = {
        field.name: change.get(field.name, lambda column: column)(column)
        for field, column in zip(structs.type, structs.flatten(), strict=True)
    }
    return pa.StructArray.from_arrays(list(columns.values()), list(columns))


def with_entries(lists: pa.ListArray, change: Callable[[pa.Array], pa.Array]) -> pa.ListArray:
    """*lists* with their entries transformed; a null becomes an empty list."""
    return pa.ListArray.from_arrays(offsets(lengths(lists)), change(lists.flatten()))


_NONE = np.zeros(1, np.int32)
_EMPTY = np.zeros(0, np.uint8)
