"""The data that all parts share: spans, readings, flows, notes, answers. No I/O; of ours, only `columns`."""
