"""The server: receives, stores, stitches, diagnoses, answers."""

import os

# gRPC's core writes past Python's logging, a line for each malformed header: about senders only. It
# reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
