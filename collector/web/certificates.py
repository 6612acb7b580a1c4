"""With which certificate do we answer, and whose do we want to see? Read again when the files change."""

import contextlib
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from collector.config import Config, ConfigError, variable
from collector.web.renewing import Renewed, secret_text, unreadable

_MOST_BYTES = 4 * 1024 * 1024  # a bundle of all public authorities has a quarter of a megabyte
_SOON_S = 14 * 86_400  # before its end, when it is said


@dataclass(frozen=True)
class Loaded:
    """One version of the files, in the forms that the servers take; *ends* in seconds since 1970."""

    context: ssl.SSLContext
    grpc: grpc.ServerCertificateConfiguration
    ends: float


class Certificates:
    """The certificate in force, for HTTP and gRPC. New connections get the newest; open ones go on."""

    def __init__(self, config: Config) -> None:
        """Read the files that *config* names; raise `ConfigError` if they cannot be used."""
        paths = [Path(name) for name in (config.tls_cert, config.tls_key, config.tls_client_ca) if name]
        self.file = Renewed(f"The certificate of {variable('tls_cert')}", paths, lambda: loaded(config))
        self._mutual = bool(config.tls_client_ca)
        # It lives as long as its server, and hands each handshake to the context in force.
        self.context = _context(config)
        self.context.sni_callback = self._choose
        if self._mutual:
            # A resumed session shows no certificate again, though its authority may be gone by then.
            self.context.num_tickets = 0
            self.context.options |= ssl.OP_NO_TICKET

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self.file.current().context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC server; the certificate in force is fetched at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self.file.current().grpc, lambda: self.file.current().grpc, self._mutual
        )

    def ending(self) -> str | None:
        """That the certificate in force ends soon, in one line; None if it does not."""
        ends = self.file.current().ends
        if time.time() < ends - _SOON_S:
            return None
        at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ends))
        return (
            f"The certificate of {variable('tls_cert')} ends on {at}: put a new one there,"
            " it is read without a restart."
        )


def certificates(config: Config) -> Certificates | None:
    """What *config* describes; None without TLS."""
    return Certificates(config) if config.tls_cert else None


def loaded(config: Config) -> Loaded:
    """What is in the files now; raise `ConfigError` if no handshake would succeed with it."""
    context = _context(config)
    ends = _tried(config)
    chain, key = Path(config.tls_cert).read_bytes(), Path(config.tls_key).read_bytes()
    authorities = Path(config.tls_client_ca).read_bytes() if config.tls_client_ca else None
    return Loaded(context, grpc.ssl_server_certificate_configuration([(key, chain)], authorities), ends)


def _context(config: Config) -> ssl.SSLContext:
    cert, key, authorities = variable("tls_cert"), variable("tls_key"), variable("tls_client_ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _require(cert, Path(config.tls_cert))
    secret_text(key, Path(config.tls_key), _MOST_BYTES)

    def encrypted() -> str:
        raise ConfigError(
            f"{key} is '{config.tls_key}', which is encrypted: expected a key that needs no password."
            f" openssl pkey -in '{config.tls_key}' writes one."
        )

    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            said = (
                f"{key} is '{config.tls_key}', which is not the key of '{config.tls_cert}': expected its own."
            )
        else:
            said = (
                f"{cert} is '{config.tls_cert}' and {key} is '{config.tls_key}':"
                f" expected a certificate and its key, in PEM ({error.reason or error})."
            )
        raise ConfigError(said) from error
    except OSError as error:
        raise unreadable(cert, Path(config.tls_cert), error) from error
    if config.tls_client_ca:
        _require(authorities, Path(config.tls_client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(config.tls_client_ca)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"{authorities} is '{config.tls_client_ca}': expected certificates of authorities, in PEM."
            ) from error
    return context


def _require(name: str, path: Path) -> None:
    try:
        if not path.is_file():
            raise ConfigError(f"{name} is '{path}': there is no such file.")
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise unreadable(name, path, error) from error


def _tried(config: Config) -> float:
    """When the certificate ends (s): it is shown to a client in memory, which trusts no other.

    A client sees what a parser does not: that it has ended, or is none for servers.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(config.tls_cert, config.tls_key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(config.tls_cert)
        shown = _handshake(server, client)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(
            f"{variable('tls_cert')} is '{config.tls_cert}': {error.verify_message}."
            " Expected one for servers that is valid now."
        ) from error
    except ssl.SSLError as error:
        raise ConfigError(
            f"{variable('tls_cert')} is '{config.tls_cert}', with which no connection succeeds"
            f" ({error.reason or error}): expected another one."
        ) from error
    return ssl.cert_time_to_seconds(shown)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """When the certificate that *client* was shown ends, as OpenSSL writes it."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    found = asking.getpeercert() or {}
    return str(found["notAfter"])
