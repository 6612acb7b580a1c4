"""A shop without a conductor: services that publish facts on NATS and react to each other's.

They know events, never each other. `python -m sample_services` runs all of
them; each can be broken on purpose, to see what Choreoscope says about it.
"""
