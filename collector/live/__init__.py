"""The live part: unfinished flows, judged every second."""
