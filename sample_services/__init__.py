"""A shop without a conductor: services that publish facts on NATS and react to each other's facts.

They know events, never each other. `python -m sample_services` runs all of
them. Each can be broken on purpose, to see what Choreoscope says about it.
"""
