"""The server: receives, stores, stitches, diagnoses, answers."""
