"""Are tokens and certificates still those of their files? A mistake in one is told, and changes nothing."""

from collector.model.troubles import TroubleKind
from collector.upkeep.health import Troubles
from collector.web.certificates import Certificates
from collector.web.tokens import Access


class Doors:
    """What is done every few seconds for those who may come in."""

    def __init__(self, access: Access, tls: Certificates | None, troubles: Troubles) -> None:
        self._access, self._tls, self._troubles = access, tls, troubles

    def check(self) -> None:
        """Read again what has changed. Never raises."""
        if self._access.file is not None:
            self._access.file.renew()
            self._tell(TroubleKind.TOKENS, self._access.file.problem)
        if self._tls is not None:
            self._tls.file.renew()
            self._tell(TroubleKind.CERTIFICATE, self._tls.file.problem or self._tls.ending())

    def _tell(self, kind: TroubleKind, problem: str | None) -> None:
        if problem:
            self._troubles.report(kind, problem)
        else:
            self._troubles.over(kind)
