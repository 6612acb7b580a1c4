"""Are all doors encrypted, is a certificate read again, and what is said of one that cannot be used?"""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.commands import choreoscope
from collector.commands.failure import CommandError
from collector.config import Config, ConfigError
from collector.model.troubles import TroubleKind
from collector.upkeep.doors import Doors
from collector.upkeep.health import Troubles
from collector.web import serving
from collector.web.certificates import Certificates
from collector.web.serving import HttpServer, listen
from collector.web.tokens import Access
from tests.certifying import Files, certified
from tests.collecting import Collector, until
from tests.factories import protobuf, request, span
from tests.test_receivers_grpc import EXPORT


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return certified(tmp_path / "tls")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mutual(own: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that wants certificates of its clients: it may listen everywhere without a token."""
    folder = tmp_path_factory.mktemp("collector")
    running = Collector(
        folder, trusted=own.trusted(mutual=True), CHOREOSCOPE_BIND="0.0.0.0", **own.settings(mutual=True)
    ).start()
    yield running
    assert running.stop() == 0


def config_of(files: Files, *, mutual: bool = False) -> Config:
    return Config.from_env(files.settings(mutual=mutual))


def shown_by(port: int, context: ssl.SSLContext) -> bytes:
    """The certificate (DER) that a new connection is shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as opened,
    ):
        return opened.getpeercert(binary_form=True) or b""


def sent_by_grpc(port: int, files: Files, *, mutual: bool = True) -> int:
    """Send a span over gRPC; return how many were rejected."""
    pair = files.client.read_bytes() if mutual else None
    secrets = grpc.ssl_channel_credentials(files.ca.read_bytes(), pair, pair)
    with grpc.secure_channel(f"127.0.0.1:{port}", secrets) as channel:
        answer = channel.unary_unary(EXPORT)(protobuf(request(span())), timeout=10)
    return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans


def test_all_doors_take_who_has_a_certificate(mutual: Collector, own: Files) -> None:
    mutual.post(protobuf(request(span())))

    assert sent_by_grpc(mutual.grpc_port, own) == 0
    summary = mutual.ask("/summary")
    assert (summary["spans"]["received"], summary["troubles"]) == (2, [])
    assert summary["otlp"] == {
        "grpc": f"https://0.0.0.0:{mutual.grpc_port}",
        "http": f"https://0.0.0.0:{mutual.http_port}",
    }


def test_no_door_takes_who_has_none(mutual: Collector, own: Files) -> None:
    """Not even for a probe: nobody without a certificate reaches a byte of ours."""
    stranger = certified(own.folder / "stranger")
    for port in (mutual.http_port, mutual.api_port):
        for context in (own.trusted(), stranger.trusted(mutual=True)):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                httpx.get(f"https://127.0.0.1:{port}/healthz", verify=context, trust_env=False)
    for pair in (None, stranger.client.read_bytes()):
        secrets = grpc.ssl_channel_credentials(own.ca.read_bytes(), pair, pair)
        with grpc.secure_channel(f"127.0.0.1:{mutual.grpc_port}", secrets) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(EXPORT)(b"", timeout=5)
            assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.mark.parametrize("kind", ["http", "grpc", "api"])
def test_no_door_speaks_in_the_clear_or_in_an_old_version(mutual: Collector, own: Files, kind: str) -> None:
    port = getattr(mutual, f"{kind}_port")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert not plain.recv(1000).startswith(b"HTTP/1.1 200")
    old = own.trusted(mutual=True)
    with pytest.deprecated_call():
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown_by(port, old)
    older = own.trusted(mutual=True)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shown_by(port, older)


def test_commands_verify_the_collector_and_show_their_certificate(
    mutual: Collector, own: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**settings: str) -> str:
        for name in ("CA", "CLIENT_CERT", "CLIENT_KEY"):
            monkeypatch.setenv(f"CHOREOSCOPE_TLS_{name}", settings.get(name, ""))
        result = CliRunner().invoke(choreoscope, ["stuck"])
        return str(result.exception) if isinstance(result.exception, CommandError) else result.output

    monkeypatch.setenv("CHOREOSCOPE_API", mutual.api)
    pair = {"CLIENT_CERT": str(own.client), "CLIENT_KEY": str(own.client)}
    assert "name the authority that signed it in CHOREOSCOPE_TLS_CA" in said()
    assert "name the authority that signed it" in said(**pair)
    assert "name one in CHOREOSCOPE_TLS_CLIENT_CERT" in said(CA=str(own.ca))
    assert "No answer" not in said(CA=str(own.ca), **pair)
    assert said(CA="/none").startswith("CHOREOSCOPE_TLS_CA: '/none' cannot be used (No such file")
    monkeypatch.setenv("CHOREOSCOPE_API", mutual.api.replace("https", "http"))
    assert "its address begins with https://" in said(CA=str(own.ca), **pair)


def test_a_new_certificate_is_shown_at_once_and_open_connections_go_on(mutual: Collector, own: Files) -> None:
    context, now = own.trusted(mutual=True), own.cert.read_text()
    ports = (mutual.grpc_port, mutual.http_port, mutual.api_port)

    def shown() -> list[str]:
        return [ssl.DER_cert_to_PEM_cert(shown_by(port, own.trusted(mutual=True))) for port in ports]

    limits = httpx.Limits(keepalive_expiry=60)
    with httpx.Client(verify=context, trust_env=False, limits=limits) as before:
        assert before.get(f"{mutual.api}/healthz").status_code == 200
        own.cert.write_text("no certificate")
        until(lambda: mutual.ask("/summary")["troubles"], 15)
        (trouble,) = mutual.ask("/summary")["troubles"]
        assert (trouble["kind"], str(own.cert) in trouble["text"]) == ("certificate", True)
        assert shown() == [now] * 3
        new = ssl.DER_cert_to_PEM_cert(own.write())
        until(lambda: not mutual.ask("/summary")["troubles"], 15)
        assert shown() == [new] * 3
        assert before.get(f"{mutual.api}/healthz").status_code == 200
        (connection,) = before._transport._pool.connections  # type: ignore[attr-defined]
        assert "Request Count: 2" in connection.info()


def test_a_new_authority_takes_the_place_of_the_old_one(files: Files) -> None:
    """Who had a certificate of the old one gets in no more."""
    tls = Certificates(config_of(files, mutual=True))
    doors, troubles = Doors(Access(), tls, Troubles()), files.trusted(mutual=True)
    assert handshake(tls, troubles)
    other = certified(files.folder / "other")
    files.ca.write_bytes(other.ca.read_bytes())
    for _ in range(2):
        doors.check()

    assert tls.context.num_tickets == 0
    both = ssl.create_default_context()
    both.check_hostname, both.verify_mode = False, ssl.CERT_NONE
    both.load_cert_chain(other.client)
    assert handshake(tls, both)
    assert not handshake(tls, troubles)


def handshake(tls: Certificates, client: ssl.SSLContext) -> bool:
    """Whether a client with that context gets in."""
    client.check_hostname = False
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = tls.context.wrap_bio(there, back, server_side=True)
    try:
        for _ in range(4):
            for side in (asking, answering):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLError:
        return False
    return True


async def test_a_handshake_has_its_time(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects and says nothing held a connection for a minute, which no limit counted."""
    monkeypatch.setattr(serving, "_HANDSHAKE_S", 0.3)
    opened = listen("127.0.0.1", 0, "nobody")
    server = HttpServer(None, opened, tls=Certificates(config_of(files)))
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.getsockname()[1])
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await server.stop()


def test_a_certificate_that_ends_soon_is_told(tmp_path: Path) -> None:
    troubles, files = Troubles(), certified(tmp_path, days=13)
    doors = Doors(Access(), Certificates(config_of(files)), troubles)
    doors.check()

    (trouble,) = troubles.now()
    assert trouble.kind is TroubleKind.CERTIFICATE
    assert trouble.text.startswith("The certificate of CHOREOSCOPE_TLS_CERT ends on 20")
    files.write(days=30)
    for _ in range(2):
        doors.check()
    assert troubles.now() == ()


def spoil(files: Files, how: str) -> None:
    other = certified(files.folder / "other")
    if how == "expired":
        files.write(days=-1)
    elif how == "not yet":
        files.write(days=90, begins=60)
    elif how == "client":
        client_only(files)
    elif how == "mismatched":
        files.key.write_bytes(other.key.read_bytes())
    elif how == "readable":
        files.key.chmod(0o644)
    elif how == "encrypted":
        locked = ["openssl", "pkey", "-aes256", "-passout", "pass:long secret", "-in", str(files.key)]
        files.key.write_bytes(subprocess.run(locked, capture_output=True, check=True).stdout)
    elif how == "no cert":
        files.cert.write_text("hello")
    elif how == "no key":
        files.key.write_text("hello")
    elif how == "cert gone":
        files.cert.unlink()
    elif how == "key gone":
        files.key.unlink()
    elif how == "no authority":
        files.ca.write_text("hello")
    elif how == "authority gone":
        files.ca.unlink()


def client_only(files: Files) -> None:
    script = ["openssl", "req", "-x509", "-key", str(files.key), "-subj", "/CN=a", "-addext"]
    made = subprocess.run([*script, "extendedKeyUsage=clientAuth"], capture_output=True, check=True)
    files.cert.write_bytes(made.stdout)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("expired", r"^CHOREOSCOPE_TLS_CERT is '.*cert.pem': certificate has expired\. Expected one"),
        ("not yet", r"^CHOREOSCOPE_TLS_CERT is .*: certificate is not yet valid\."),
        ("client", r"^CHOREOSCOPE_TLS_CERT is .*: unsuitable certificate purpose\."),
        ("mismatched", r"^CHOREOSCOPE_TLS_KEY is '.*key.pem', which is not the key of '.*cert.pem'"),
        ("readable", r"^CHOREOSCOPE_TLS_KEY is '.*', whose mode is 0644: .* Run: chmod 600 '.*key.pem'$"),
        ("encrypted", r"^CHOREOSCOPE_TLS_KEY is '.*', which is encrypted: expected a key that needs no"),
        ("no cert", r"^CHOREOSCOPE_TLS_CERT is '.*' and CHOREOSCOPE_TLS_KEY is '.*': expected a cert"),
        ("no key", r"^CHOREOSCOPE_TLS_CERT is '.*' and CHOREOSCOPE_TLS_KEY is '.*': expected a cert"),
        ("cert gone", r"^CHOREOSCOPE_TLS_CERT is '.*': there is no such file"),
        ("key gone", r"^CHOREOSCOPE_TLS_KEY is '.*': there is no such file"),
        ("no authority", r"^CHOREOSCOPE_TLS_CLIENT_CA is '.*ca.pem': expected certificates of auth"),
        ("authority gone", r"^CHOREOSCOPE_TLS_CLIENT_CA is '.*ca.pem': there is no such file"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(files: Files, how: str, said: str) -> None:
    """At the start it is refused; later, the last good one stays in force."""
    tls, troubles = Certificates(config_of(files, mutual=True)), Troubles()
    before = tls.file.current()
    spoil(files, how)

    with pytest.raises(ConfigError, match=said) as refused:
        Certificates(config_of(files, mutual=True))

    assert "\n" not in str(refused.value)
    for _ in range(2):
        Doors(Access(), tls, troubles).check()
    assert troubles.now()[0].text == f"{refused.value} The last good version stays in force."
    assert tls.file.current() is before
    assert handshake(tls, client_of(before, files))


def client_of(_: object, files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(files.client)
    return context
