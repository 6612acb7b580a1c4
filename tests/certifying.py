"""Certificates for tests: an authority, and files as a person would put them on a server."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """A certificate with its key, and the authority that signed it."""

    folder: Path
    authority: trustme.CA

    @property
    def cert(self) -> Path:
        """The server's certificate."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.folder / "key.pem"

    @property
    def ca(self) -> Path:
        """The authority, for those who trust it."""
        return self.folder / "ca.pem"

    @property
    def client(self) -> Path:
        """A client's certificate and key, in one file."""
        return self.folder / "client.pem"

    def settings(self, *, mutual: bool = False) -> dict[str, str]:
        """The collector's environment."""
        given = {"CHOREOSCOPE_TLS_CERT": str(self.cert), "CHOREOSCOPE_TLS_KEY": str(self.key)}
        return given | ({"CHOREOSCOPE_TLS_CLIENT_CA": str(self.ca)} if mutual else {})

    def trusted(self, *, mutual: bool = False) -> ssl.SSLContext:
        """A client's context."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if mutual:
            context.load_cert_chain(self.client)
        return context

    def write(self, *, days: float = 30, begins: float = -60) -> bytes:
        """Put a new certificate there, from *begins* until *days* from now; return it (DER)."""
        now = datetime.now(UTC)
        issued = self.authority.issue_cert(
            "127.0.0.1",
            "localhost",
            not_before=now + timedelta(days=begins),
            not_after=now + timedelta(days=days),
        )
        issued.private_key_pem.write_to_path(self.key)
        self.key.chmod(0o600)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def certified(folder: Path, *, days: float = 30) -> Files:
    """New files in *folder*, with an authority of their own."""
    folder.mkdir(exist_ok=True)
    files = Files(folder, trustme.CA())
    files.authority.cert_pem.write_to_path(files.ca)
    files.authority.issue_cert("sender@shop.example").private_key_and_cert_chain_pem.write_to_path(
        files.client
    )
    files.write(days=days)
    return files
