"""Requests in: transports take bytes, the intake makes them durable before they are answered."""
