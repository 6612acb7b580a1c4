"""Payloads that attack: each goes through every door, and afterwards all others are served as before."""
