"""What can be wrong with a request, said so that its sender can mend it."""


class OtlpError(Exception):
    """A body that can not be read at all: the sender must not send it again."""
