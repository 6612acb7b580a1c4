"""How do the pages break and mend services of the demo shop? Only this module knows where it is."""

from __future__ import annotations

import time
from urllib.parse import quote

import httpx

from dashboard.client import address, decoded
from dashboard.demo_shop import Shop, ShopService
from dashboard.problems import ApiError, UnreachableError

SHOP_DEFAULT = "http://127.0.0.1:4320"

# How long to wait before asking again for a shop that did not answer.
SHOP_ABSENT_S = 5.0


class ShopControl:
    """The demo shop's fault control: which services can be broken on purpose."""

    def __init__(self, base: str | None = None) -> None:
        self.base = base or address("CHOREOSCOPE_SHOP", SHOP_DEFAULT)
        self._http = httpx.Client(
            base_url=self.base, timeout=httpx.Timeout(3.0, connect=0.3), trust_env=False
        )
        self._absent_until = float("-inf")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def shop(self) -> Shop | None:
        """Return the shop's services, or None when no shop answers."""
        if time.monotonic() < self._absent_until:
            return None
        try:
            return decoded(self._http.get("/faults"), Shop)
        except (httpx.HTTPError, ApiError):
            self._absent_until = time.monotonic() + SHOP_ABSENT_S
            return None

    def break_(self, service: str, kind: str) -> ShopService:
        """Switch a fault on; raise `ApiError` with the shop's own sentence if it refuses."""
        return self._change("PUT", service, {"kind": kind, "share": 1.0, "delay_ms": 3000})

    def mend(self, service: str) -> ShopService:
        """Switch the service's fault off."""
        return self._change("DELETE", service, None)

    def _change(self, method: str, service: str, body: object) -> ShopService:
        try:
            response = self._http.request(method, f"/faults/{quote(service, safe='')}", json=body)
        except httpx.HTTPError as error:
            raise UnreachableError(f"No answer from the shop at {self.base}.") from error
        if response.status_code == httpx.codes.NO_CONTENT or not response.content:
            return ShopService(service=service)
        return decoded(response, ShopService)
