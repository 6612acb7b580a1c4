"""Tools for numpy and Arrow columns. They know nothing about tracing."""
