"""What do brokers know that spans cannot say? Each broker has a folder here, and `contract.py` is for all."""
