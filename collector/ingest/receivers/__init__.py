"""Transports: how request bodies come in and answers go out. Nothing here knows about tracing."""
