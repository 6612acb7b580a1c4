"""Tables of cases, one for each of `collector.conventions.families`: `tests/test_families.py` tries them."""
