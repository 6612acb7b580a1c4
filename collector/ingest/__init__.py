"""Receives spans: transports take bytes, and the intake makes them durable before they are answered."""
