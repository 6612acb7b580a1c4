"""The version of this distribution, as the spans' scope states it."""

__version__ = "0.1.0"
