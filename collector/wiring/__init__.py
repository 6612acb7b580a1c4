"""Builds the parts of a collector, and gives each the others that it needs. Starts nothing."""

from collector.wiring.whole import Collector, assemble

__all__ = ["Collector", "assemble"]
