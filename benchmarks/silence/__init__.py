"""Is silence told from calm? A simulator on virtual time around the tick. `python -m benchmarks.silence`"""
