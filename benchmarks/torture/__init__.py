"""Attacks on the store and the collector that take too long for every test run."""
