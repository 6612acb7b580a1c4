"""Whose token may do what, and what is said of a file of tokens that cannot be used?"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from collector.config import Config, ConfigError
from collector.model.troubles import TroubleKind
from collector.store.clickhouse.connections import Database
from collector.upkeep.doors import Doors
from collector.upkeep.health import Troubles
from collector.web.tokens import Access, AccessError, Role
from tests.conftest import new_stores
from tests.factories import protobuf, request, span
from tests.running import ingest
from tests.standing_factories import Told, app_of, serving
from tests.test_deciding import KNOWN, WISH
from tests.test_receivers_grpc import EXPORT, export
from tests.test_receivers_http import PROTOBUF

SEND, READ, DECIDE, ONE = "send-0123456789abcdef", "read-0123456789abcdef", "decide-0123456789abcde", "o" * 16
TEXT = f"""# tokens of the shop
send shop {SEND}
read grafana sha256:{hashlib.sha256(READ.encode()).hexdigest()}

  decide ada {DECIDE}
"""


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(mode)
    return path


def shown(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, TEXT)


@pytest.fixture(scope="module")
def guarded(engines: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An API with a token for each role, and one for all of them."""
    file = written(tmp_path_factory.mktemp("tokens"), TEXT)
    with new_stores(engines.on_folder()) as opened:
        app = app_of(Told(KNOWN), opened(), Config(token=ONE, tokens=str(file)))
        with serving(app) as address, httpx.Client(base_url=address, trust_env=False, verify=False) as asked:
            yield asked


@pytest.mark.parametrize(
    ("token", "asked", "decided"),
    [
        (SEND, 403, 403),
        (READ, 200, 403),
        (DECIDE, 200, 200),
        (ONE, 200, 200),
        ("x" * 16, 401, 401),
        ("", 401, 401),
    ],
)
def test_the_api_asks_for_the_role(guarded: httpx.Client, token: str, asked: int, decided: int) -> None:
    def of(method: str, path: str, **more: Any) -> int:
        headers = shown(token) if token else {}
        return guarded.request(method, path, headers=headers, **more).status_code

    for path in ("/api/v1/expectations", "/metrics", "/docs", "/openapi.json"):
        assert of("GET", path) == asked
    assert of("POST", "/api/v1/stitch", content=b'{"resourceSpans": []}') in (
        asked,
        400 if asked == 200 else 0,
    )
    assert of("POST", "/api/v1/expectations", json=WISH) == decided
    # Whatever is added, and forgotten in the list of what changes nothing, needs to decide.
    assert of("DELETE", "/api/v1/flows/A-1") == (405 if decided == 200 else decided)
    assert of("GET", "/healthz") == of("GET", "/readyz") == 200


def test_a_refusal_names_the_role_that_is_needed_and_no_token(guarded: httpx.Client) -> None:
    wrong = guarded.post("/api/v1/expectations", headers=shown(READ), json=WISH)
    unknown = guarded.get("/api/v1/summary", headers=shown("x" * 20))

    assert wrong.json()["error"] == (
        "The token 'grafana' has the role read: expected one of the role 'decide', which decides."
    )
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert "xxx" not in unknown.text


def test_the_name_of_the_token_is_the_author_if_none_is_given(guarded: httpx.Client) -> None:
    wish = {name: value for name, value in WISH.items() if name != "author"}

    def said(token: str, body: Any) -> httpx.Response:
        return guarded.post("/api/v1/expectations", headers=shown(token), json=body)

    assert said(DECIDE, wish).json()["author"] == "ada"
    assert said(DECIDE, {**wish, "author": "eve"}).json()["author"] == "eve"
    assert said(ONE, wish).json()["error"].startswith("author is missing")  # that token has no name


async def test_only_a_sender_sends(database: Database, file: Path) -> None:
    async with (
        ingest(database, Config(tokens=str(file))) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        body = protobuf(request(span()))
        for token, status in ((READ, 403), (DECIDE, 403), ("x" * 16, 401), (SEND, 200)):
            answer = await server.http.post("/v1/traces", content=body, headers=PROTOBUF | shown(token))
            assert answer.status_code == status
        for token, code in (
            (READ, grpc.StatusCode.PERMISSION_DENIED),
            ("x", grpc.StatusCode.UNAUTHENTICATED),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await export(channel, request(span()), metadata=(("authorization", f"Bearer {token}"),))
            assert caught.value.code() is code
        assert "expected one of the role 'send'" in await refusal_of(channel)
        await export(channel, request(span()), metadata=(("authorization", f"Bearer {SEND}"),))
        assert (server.refused("forbidden"), server.refused("unauthorized")) == (4, 2)


async def refusal_of(channel: grpc.aio.Channel) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(EXPORT)(b"", metadata=(("authorization", f"Bearer {READ}"),))
    return str(caught.value.details())


def test_several_tokens_have_one_role_and_one_token_several(tmp_path: Path) -> None:
    """Otherwise none could be replaced without a moment in which nobody gets in."""
    both = f"send shop {SEND}\nread shop {SEND}\nread grafana {READ}\nread grafana {'n' * 16}\n"
    access = Access.of(Config(tokens=str(written(tmp_path, both))))

    assert access.admit(f"Bearer {READ}", Role.READ) == access.admit(f"bearer {'n' * 16} ", Role.READ)
    assert access.admit(f"Bearer {SEND}", Role.READ).roles == {Role.SEND, Role.READ}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 tokens: expected 1 to 256"),
        ("# read a " + "t" * 16, "has 0 tokens"),
        (f"read {READ}", "line 1: it has 2 words, expected 'role name token'"),
        (f"\nadmin ada {READ}", "line 2: its first word is no role, expected send, read, decide"),
        (f"{READ} read grafana", "its first word is no role"),
        (f"read a/b {READ}", "its second word is no name"),
        ("read grafana " + "t" * 15, "the token of 'grafana' has 15 characters, expected at least 16"),
        ("read grafana sha256:abc", "the hash of 'grafana' is no SHA-256"),
        ("read grafana żółwżółwżółwżółw", "printable ASCII"),
        (f"read a {READ}\nsend b {READ}", "line 2: the token of 'b' is that of 'a', too"),
        ("".join(f"read a {n:016}\n" for n in range(257)), "has 257 tokens"),
        ("#" * 70_000, "is too large: expected at most 65,536 bytes"),
    ],
)
def test_a_mistake_is_told_in_one_line_that_shows_no_token(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        Access.of(Config(tokens=str(path)))

    assert str(refused.value).startswith(f"CHOREOSCOPE_TOKENS is '{path}'")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert READ not in str(refused.value)
    assert "t" * 10 not in str(refused.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_file_that_everybody_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, TEXT, mode)
    with pytest.raises(ConfigError, match=rf"mode is {mode:04o}: .* Run: chmod 600 '{path}'$"):
        Access.of(Config(tokens=str(path)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match=f"^CHOREOSCOPE_TOKENS is '{path}': there is no such file"):
            Access.of(Config(tokens=str(path)))


def test_it_is_read_again_when_it_changes_and_a_mistake_changes_nothing(file: Path) -> None:
    access, troubles = Access.of(Config(tokens=str(file))), Troubles()
    doors = Doors(access, None, troubles)

    def may(token: str) -> bool:
        doors.check()
        doors.check()  # it reads what it has seen twice
        try:
            access.admit(f"Bearer {token}", Role.READ)
        except AccessError:
            return False
        return True

    assert may(READ)
    file.write_text(f"read new {'n' * 16}\n")
    assert may("n" * 16)
    assert not may(READ)
    file.write_text("read new oops\n")
    assert may("n" * 16)
    (trouble,) = troubles.now()
    assert trouble.kind is TroubleKind.TOKENS
    assert trouble.text.startswith(f"CHOREOSCOPE_TOKENS is '{file}', line 1: the token of 'new' has 4")
    assert trouble.text.endswith("The last good version stays in force.")
    file.unlink()
    assert may("n" * 16)
    assert "there is no such file" in troubles.now()[0].text
    written(file.parent, TEXT)
    assert may(READ)
    assert troubles.now() == ()


def test_every_path_that_there_is_asks_for_a_role(guarded: httpx.Client) -> None:
    """Whoever adds a path need not think of it."""
    described = guarded.get("/openapi.json", headers=shown(READ)).json()["paths"]
    asked = [
        (method.upper(), path.replace("{key}", "A-1"))
        for path, methods in described.items()
        for method in methods
    ]
    reading = {("POST", "/api/v1/stitch")}

    assert len(asked) > 10
    for method, path in asked:
        if path in {"/healthz", "/readyz"}:
            continue
        assert guarded.request(method, path).status_code == 401
        reads = method == "GET" or (method, path) in reading
        assert (guarded.request(method, path, headers=shown(READ)).status_code == 403) is not reads, path
        assert guarded.request(method, path, headers=shown(SEND)).status_code == 403
