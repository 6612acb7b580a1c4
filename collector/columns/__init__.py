"""Tools on columns, in numpy and Arrow. They know nothing of tracing."""
