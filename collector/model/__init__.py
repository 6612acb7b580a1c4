"""What everything speaks: spans, readings, flows, notes, answers. No I/O, and nothing of ours but columns."""
