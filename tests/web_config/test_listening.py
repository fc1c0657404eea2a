"""TLS on real sockets of this machine: who gets in, and that renewing it loses no connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
import uvloop

from telemetry_web_config.config import load
from telemetry_web_config.listening import ListeningServers
from telemetry_web_config.tls import san_allowed
from tests.web_config.material import Certificates, place

Put = Callable[[str], Path]
REFUSED = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)


class Echo(asyncio.Protocol):
    """Answers each byte with the same byte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Both event loops that the programs may run on."""
    with asyncio.Runner(loop_factory=request.param) as made:
        yield made


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def echoes(self) -> bool:
        """With TLS 1.3 a server refuses a client after its handshake, so only an answer proves that one is in."""
        self._writer.write(b"x")
        await self._writer.drain()
        return await self._reader.readexactly(1) == b"x"

    @property
    def server_certificate(self) -> bytes:
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True) or b""

    @property
    def tls(self) -> Any:
        return self._writer.get_extra_info("ssl_object")


@asynccontextmanager
async def connected(listening: socket.socket, context: ssl.SSLContext | None) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2], ssl=context)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def gets_in(listening: socket.socket, context: ssl.SSLContext | None) -> bool:
    try:
        async with connected(listening, context) as client:
            return await client.echoes()
    except REFUSED:
        return False


def serve_and(
    runner: asyncio.Runner, listening: socket.socket, path: Path, ask: Callable[[ListeningServers], Any]
) -> Any:
    """What *ask* gives while what the file at *path* says is served."""

    async def run() -> Any:
        config = load(path)
        servers = ListeningServers(
            Echo, config.ssl_context(), config.tls.client_allowed_sans if config.tls else ()
        )
        (server,) = await servers.start([listening.dup()])
        try:
            return await ask(servers)
        finally:
            server.close()

    return runner.run(run())


def renew(servers: ListeningServers, path: Path) -> None:
    config = load(path)
    context = config.ssl_context()
    assert config.tls is not None
    assert context is not None
    servers.renew(context, config.tls.client_allowed_sans)


def test_who_gets_in_is_what_the_file_says(
    runner: asyncio.Runner, listening: socket.socket, configured: Put, certificates: Certificates
) -> None:
    clients: dict[str, trustme.LeafCert | None] = {
        "none": None,
        "ours": certificates.client,
        "other": certificates.other_client,
        "foreign": certificates.foreign_client,
    }
    optional = (configured("right/client_certificates").read_text()).replace(
        "RequireAndVerifyClientCert", "{}"
    )

    async def who(_: ListeningServers) -> set[str]:
        return {
            name
            for name, client in clients.items()
            if await gets_in(listening, certificates.client_context(client))
        }

    def with_file(name_or_text: str) -> Any:
        return serve_and(runner, listening, configured(name_or_text), who)

    assert with_file("right/tls") == {"none", "ours", "other", "foreign"}
    assert with_file("right/client_certificates") == {"ours", "other"}
    assert with_file(optional.format("VerifyClientCertIfGiven")) == {"none", "ours", "other"}
    assert with_file("right/client_names") == {"ours"}


def test_an_intermediate_authority_alone_is_enough_to_trust(
    runner: asyncio.Runner,
    listening: socket.socket,
    configured: Put,
    folder: Path,
    certificates: Certificates,
) -> None:
    intermediate = certificates.foreign.create_child_ca()
    intermediate.cert_pem.write_to_path(str(folder / "authority.crt"))
    client = certificates.client_context(intermediate.issue_cert("a.example"))

    path = configured("right/client_certificates")

    assert serve_and(runner, listening, path, lambda _: gets_in(listening, client))


def test_plain_http_stays_plain(runner: asyncio.Runner, listening: socket.socket, configured: Put) -> None:
    assert serve_and(runner, listening, configured("right/users"), lambda _: gets_in(listening, None))


def test_version_suite_and_protocol_are_the_ones_configured(
    runner: asyncio.Runner, listening: socket.socket, configured: Put, certificates: Certificates
) -> None:
    context = certificates.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def agreed(_: ListeningServers) -> tuple[Any, ...]:
        async with connected(listening, context) as client:
            return client.tls.version(), client.tls.cipher()[0], client.tls.selected_alpn_protocol()

    path = configured("right/everything")
    expected = ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", "http/1.1")
    assert serve_and(runner, listening, path, agreed) == expected

    text = path.read_text().replace("prefer_server_cipher_suites: true", "prefer_server_cipher_suites: false")
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305")
    expected = ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "http/1.1")
    assert serve_and(runner, listening, configured(text), agreed) == expected


@pytest.mark.parametrize("curve", ["X25519", "CurveP256", "CurveP384", "CurveP521"])
def test_each_curve_can_be_agreed_on(
    curve: str, listening: socket.socket, configured: Put, certificates: Certificates
) -> None:
    text = configured("right/tls").read_text() + f"  curve_preferences: [{curve}]\n"
    names = {
        "X25519": "X25519",
        "CurveP256": "prime256v1",
        "CurveP384": "secp384r1",
        "CurveP521": "secp521r1",
    }
    contexts = {name: certificates.client_context() for name in names}
    for name, context in contexts.items():
        context.set_ecdh_curve(names[name])

    async def who(_: ListeningServers) -> set[str]:
        return {name for name, context in contexts.items() if await gets_in(listening, context)}

    with asyncio.Runner() as runner:
        assert serve_and(runner, listening, configured(text), who) == {curve}


def test_renewing_loses_no_connection_and_new_ones_get_the_new_certificate(
    runner: asyncio.Runner,
    listening: socket.socket,
    configured: Put,
    folder: Path,
    certificates: Certificates,
) -> None:
    context = certificates.client_context()
    path = configured("right/tls")

    async def replace(servers: ListeningServers) -> tuple[bytes, bytes, list[bool]]:
        async with connected(listening, context) as before:
            assert await before.echoes()
            place(folder, certificates.issue_server())
            asked = asyncio.gather(*(gets_in(listening, context) for _ in range(20)))
            for _ in range(5):
                renew(servers, path)
            async with connected(listening, context) as after:
                assert await after.echoes()
                assert await before.echoes()
                return before.server_certificate, after.server_certificate, await asked

    old, new, asked = serve_and(runner, listening, path, replace)

    assert old != new
    assert asked == [True] * 20


def test_a_session_from_before_does_not_get_in_after_the_authority_changed(
    runner: asyncio.Runner,
    listening: socket.socket,
    configured: Put,
    folder: Path,
    certificates: Certificates,
) -> None:
    """A TLS ticket would spare a client the certificate that it no longer may use."""
    path = configured("right/client_certificates")
    context = certificates.client_context(certificates.client)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def session() -> ssl.SSLSession:
        with (
            socket.create_connection(listening.getsockname()) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"x")
            assert secure.recv(1) == b"x"
            assert secure.session is not None
            return secure.session

    def come_back(known: ssl.SSLSession) -> bool:
        with (
            socket.create_connection(listening.getsockname()) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=known) as secure,
        ):
            secure.sendall(b"x")
            return secure.recv(1) == b"x" and bool(secure.session_reused)

    async def change_authority(servers: ListeningServers) -> bool:
        known = await asyncio.to_thread(session)
        assert await asyncio.to_thread(come_back, known)
        certificates.foreign.cert_pem.write_to_path(str(folder / "authority.crt"))
        renew(servers, path)
        try:
            return await asyncio.to_thread(come_back, known)
        except REFUSED:
            return False

    assert not serve_and(runner, listening, path, change_authority)


def test_the_names_that_get_in_change_with_the_file(
    runner: asyncio.Runner, listening: socket.socket, configured: Put, certificates: Certificates
) -> None:
    context = certificates.client_context(certificates.other_client)
    text = configured("right/client_names").read_text()

    async def change(servers: ListeningServers) -> tuple[bool, bool, bool]:
        before = await gets_in(listening, context)
        renew(servers, configured(text.replace("prometheus.", "other.")))
        then = await gets_in(listening, context)
        renew(servers, configured(text))
        return before, then, await gets_in(listening, context)

    path = configured("right/client_names")
    assert serve_and(runner, listening, path, change) == (False, True, False)


def test_plain_servers_do_not_pretend_to_get_tls(certificates: Certificates) -> None:
    servers = ListeningServers(Echo, None)

    with pytest.raises(ValueError, match="started without TLS"):
        servers.renew(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        ("prometheus.example", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("ops@example.org", True),
        ("spiffe://a/b", True),
        ("example", False),
        ("Prometheus.example", False),
        ("*.example", False),
    ],
)
def test_a_name_is_compared_whole(allowed: str, found: bool) -> None:
    certificate = {
        "subjectAltName": (
            ("DNS", "prometheus.example"),
            ("IP Address", "127.0.0.9"),
            ("IP Address", "0:0:0:0:0:0:0:1"),
            ("email", "ops@example.org"),
            ("URI", "spiffe://a/b"),
        )
    }

    assert san_allowed(certificate, {allowed}) == found
    assert not san_allowed(None, {allowed})
    assert not san_allowed({}, {allowed})
