"""Every question a reader may ask, over HTTP."""
