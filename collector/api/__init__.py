"""The API: every question that a reader may ask, over HTTP."""
