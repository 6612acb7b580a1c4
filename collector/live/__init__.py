"""The live part: unfinished flows in memory, judged every second.

A flow is *evicted* from memory when it has come to rest, or when there is no room, and *restored* when more of it
comes. State changes only after the work that can fail is done.
"""
