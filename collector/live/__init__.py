"""The live part: holds unfinished flows in memory, and judges them every second.

A flow is *evicted* from memory when it is at rest, or when memory is full, and *restored* when more of it
arrives. State changes only after all work that can fail has succeeded.
"""
