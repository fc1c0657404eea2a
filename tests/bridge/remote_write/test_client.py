"""One POST: what a remote reads of it, and that whatever goes wrong is an answer that says why."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushgateway_bridge.config import RemoteConfig, RemoteTlsConfig
from pushgateway_bridge.remote_write.answer import Answer, Outcome
from pushgateway_bridge.remote_write.batch import Collector
from pushgateway_bridge.remote_write.client import Client
from pushgateway_bridge.remote_write.names import Names
from tests.bridge.remote import FakeRemote, Reply, Request, in_turn, unsnappy
from tests.bridge.remote_write.certificates import Authority, Certificate, server_context
from tests.bridge.remote_write.changes import first_push

TIMEOUT_SECONDS = 30.0
SHORT_SECONDS = 0.3
"""A time-out that is meant to be reached."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings for HTTP clients; a test of its own shows what they do."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote() -> Iterator[FakeRemote]:
    with FakeRemote() as remote:
        yield remote


@contextlib.contextmanager
def client_of(remote: RemoteConfig) -> Iterator[Client]:
    client = Client(remote, "1.2.3")
    try:
        yield client
    finally:
        client.close()


def send(remote: RemoteConfig, message: bytes = b"") -> Answer:
    """The answer to one request on a new connection."""
    with client_of(remote) as client:
        return client.send(message)


def settings_of(
    remote: FakeRemote,
    scheme: str = "http",
    host: str = "127.0.0.1",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> RemoteConfig:
    return RemoteConfig(name="one", url=remote.url(scheme, host), timeout_seconds=timeout_seconds)


def with_auth(remote: FakeRemote, **fields: Any) -> RemoteConfig:
    return RemoteConfig(name="one", url=remote.url(), **fields)


# The request


def test_a_request_is_what_remote_write_1_0_says(remote: FakeRemote) -> None:
    """https://prometheus.io/docs/specs/prw/remote_write_spec/#protocol"""
    collector = Collector(Names({"replica": "a"}), lambda _reason, _samples: None)
    collector.add(1, first_push(5, {1: 1.0, 2: 2.0}))
    message = collector.take().encode()

    answer = send(settings_of(remote), message)

    assert answer.outcome is Outcome.SENT
    (request,) = remote.requests
    assert request.path == "/api/v1/write"
    expected = {
        "content-type": "application/x-protobuf",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0",
        "user-agent": "pushgateway-bridge/1.2.3",
        "content-length": str(len(request.body)),
    }
    assert {name: request.headers.get(name) for name in expected} == expected
    assert "authorization" not in request.headers
    assert [one.name for one in request.series] == [
        *('a{instance="one",job="test",replica="a"}', 'b{instance="one",job="test",replica="a"}')
    ]
    assert remote.faults == []


@given(st.one_of(st.binary(max_size=3000), st.binary(min_size=1, max_size=40).map(lambda part: part * 2000)))
@settings(max_examples=40)
def test_bodies_are_snappy_blocks(message: bytes) -> None:
    """Read by a decoder of the tests' own."""
    with FakeRemote() as remote, client_of(settings_of(remote)) as client:
        client.send(message)

    assert unsnappy(remote.requests[0].body) == message


def test_requests_share_a_connection(remote: FakeRemote) -> None:
    with client_of(settings_of(remote)) as client:
        for _ in range(3):
            client.send(b"")

    assert len({request.connection for request in remote.requests}) == 1


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(200), Answer(Outcome.SENT, "http_200")),
        (Reply(204), Answer(Outcome.SENT, "http_204")),
        (Reply(400, body=b"out of bounds\n"), Answer(Outcome.SPLIT, "http_400", "out of bounds")),
        (Reply(422, body=b"two\nlines\x00"), Answer(Outcome.DROP, "http_422", "two lines\x00")),
        (Reply(500, body=b"\xff\xfe"), Answer(Outcome.RETRY, "http_500", "��")),
        (Reply(429, {"Retry-After": "7"}, b"slow"), Answer(Outcome.RETRY, "http_429", "slow", 7.0)),
        (Reply(503, body=b"x" * 100_000), Answer(Outcome.RETRY, "http_503", "x" * 300)),
    ],
    ids=["ok", "no_content", "bad", "lines", "no_text", "wait", "long"],
)
def test_an_answer_tells_status_and_the_beginning_of_the_text(
    reply: Reply, answer: Answer, remote: FakeRemote
) -> None:
    remote.script = in_turn(reply)

    assert send(settings_of(remote)) == answer


# Who we are


def test_basic_authentication(remote: FakeRemote, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("se:cret\n")

    send(with_auth(remote, username="me", password_file=str(password)))

    expected = base64.b64encode(b"me:se:cret").decode()
    assert remote.requests[0].headers["authorization"] == f"Basic {expected}"


def test_basic_authentication_without_a_password(remote: FakeRemote) -> None:
    send(with_auth(remote, username="me"))

    assert remote.requests[0].headers["authorization"] == f"Basic {base64.b64encode(b'me:').decode()}"


@pytest.mark.parametrize("password", ["grün", "5€"])
def test_basic_authentication_is_utf_8(password: str, remote: FakeRemote, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(password)

    send(with_auth(remote, username="me", password_file=str(file)))

    expected = base64.b64encode(f"me:{password}".encode()).decode()
    assert [request.headers["authorization"] for request in remote.requests] == [f"Basic {expected}"]


def test_a_renewed_bearer_token_is_read_from_its_file(remote: FakeRemote, tmp_path: Path) -> None:
    token = tmp_path / "token"
    with client_of(with_auth(remote, bearer_token_file=str(token))) as client:
        for text in ("old\n", "new\n"):
            token.write_text(text)
            client.send(b"")

    assert [request.headers["authorization"] for request in remote.requests] == ["Bearer old", "Bearer new"]


def test_headers_and_headers_from_files_are_sent(remote: FakeRemote, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret\n")

    send(with_auth(remote, headers={"X-Scope-OrgID": "team"}, header_files={"X-Api-Key": str(key)}))

    headers = remote.requests[0].headers
    assert (headers["x-scope-orgid"], headers["x-api-key"]) == ("team", "secret")


@pytest.mark.parametrize(
    ("setting", "fields"),
    [
        ("password_file", lambda file: {"username": "me", "password_file": file}),
        ("bearer_token_file", lambda file: {"bearer_token_file": file}),
        ("header_files X-Key", lambda file: {"header_files": {"X-Key": file}}),
    ],
    ids=["password", "token", "header"],
)
@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), (b"\xff\xfe", "no UTF-8")],
    ids=["gone", "binary"],
)
def test_an_unreadable_secret_is_waited_for_and_its_setting_named(
    setting: str,
    fields: Callable[[str], dict[str, object]],
    content: bytes | None,
    why: str,
    remote: FakeRemote,
    tmp_path: Path,
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    answer = send(with_auth(remote, **fields(str(file))))

    assert answer == Answer(Outcome.RETRY, "secret_file", f"{setting} {file}: {why}")
    assert remote.requests == []


@pytest.mark.parametrize("secret", ["first\nsecond", "first\rsecond"], ids=["line", "return"])
def test_a_secret_that_no_header_can_carry_is_not_logged(
    secret: str, remote: FakeRemote, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(secret)

    answer = send(with_auth(remote, header_files={"X-Key": str(file)}))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "secret_file")
    assert "first" not in answer.detail
    assert "second" not in answer.detail
    assert remote.requests == []


def test_headers_are_sent_as_utf_8(remote: FakeRemote, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("5€")

    send(with_auth(remote, headers={"X-Team": "grün"}, header_files={"X-Key": str(file)}))

    headers = remote.requests[0].headers
    assert (headers["x-team"].encode("latin-1"), headers["x-key"].encode("latin-1")) == (
        "grün".encode(),
        "5€".encode(),
    )


def test_a_netrc_is_not_used(remote: FakeRemote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login somebody password else\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    send(settings_of(remote))

    assert "authorization" not in remote.requests[0].headers


def test_settings_of_tls_do_no_harm_to_a_remote_without_it(remote: FakeRemote) -> None:
    tls = RemoteTlsConfig(server_name="remote.test", insecure_skip_verify=True)

    assert send(with_auth(remote, tls=tls)).outcome is Outcome.SENT


# Remotes that do not answer as they should


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_line_says_where_it_points(
    status: int, remote: FakeRemote
) -> None:
    with FakeRemote() as other:
        remote.script = in_turn(Reply(status, {"Location": other.url()}))

        answer = send(settings_of(remote))

        assert other.requests == []
        assert other.faults == []
    assert answer == Answer(
        Outcome.RETRY, f"http_{status}", f"redirects to {other.url()}; set the URL to where it shall go"
    )


def test_a_long_location_is_cut(remote: FakeRemote) -> None:
    remote.script = in_turn(Reply(301, {"Location": "http://127.0.0.1/" + "x" * 50_000}))

    assert len(send(settings_of(remote)).detail) < 1000


def test_a_redirect_to_nowhere_is_an_answer(remote: FakeRemote) -> None:
    remote.script = in_turn(Reply(301, body=b"moved"))

    assert send(settings_of(remote)) == Answer(Outcome.RETRY, "http_301", "moved")


def test_nobody_there_is_an_answer(remote: FakeRemote) -> None:
    remote.stop()

    answer = send(settings_of(remote))

    assert answer == Answer(Outcome.RETRY, "unreachable", answer.detail)
    assert "Connection refused" in answer.detail


def test_a_connection_that_the_remote_closed_meanwhile_is_an_answer_or_opened_anew(
    remote: FakeRemote,
) -> None:
    with client_of(settings_of(remote)) as client:
        first = client.send(b"")
        remote.stop()
        gone = client.send(b"")
        remote.start()
        again = [client.send(b"") for _ in range(2)]

    assert first.outcome is again[-1].outcome is Outcome.SENT
    assert (gone.outcome, gone.reason) == (Outcome.RETRY, "unreachable")


def test_an_unknown_host_is_an_answer() -> None:
    answer = send(RemoteConfig(name="one", url="http://nobody.invalid/api/v1/write", timeout_seconds=5.0))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "unreachable")


def test_a_remote_that_says_nothing_is_a_timeout(remote: FakeRemote) -> None:
    remote.script = in_turn(Reply(delay_seconds=3 * SHORT_SECONDS))

    answer = send(settings_of(remote, timeout_seconds=SHORT_SECONDS))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "timeout")


@contextlib.contextmanager
def raw_server(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that hears what it is sent, then does what *speak* says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    speak(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1/write"
        thread.join()


GARBAGE = {
    "no_http": b"220 mail.example ESMTP\r\n",
    "binary": bytes(range(256)) * 10,
    "nothing": b"",
    "half_a_status": b"HTTP/1.1 20",
    "no_number": b"HTTP/1.1 fine\r\n\r\n",
    "status_too_large": b"HTTP/1.1 99999 OK\r\n\r\n",
    "long_status_line": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "many_headers": b"HTTP/1.1 400 Bad\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "wrong_chunks": b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    "body_cut_short": b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nshort",
    "wrong_length": b"HTTP/1.1 400 Bad\r\nContent-Length: many\r\n\r\nshort",
    "wrong_gzip": b"HTTP/1.1 503 Busy\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_an_answer(garbage: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(garbage)) as url:
        answer = send(RemoteConfig(name="one", url=url))

    assert answer.outcome in {Outcome.RETRY, Outcome.SPLIT}
    assert answer.reason
    assert "\n" not in answer.detail
    assert len(answer.detail) <= 300


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 No\r\nRetry-After: "]),
)
@settings(max_examples=60)
def test_whatever_a_remote_says_is_an_answer(rest: bytes, beginning: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(beginning + rest)) as url:
        answer = send(RemoteConfig(name="one", url=url))

    assert isinstance(answer, Answer)
    assert answer.reason


def test_an_answer_whose_text_does_not_come_is_an_answer() -> None:
    done = threading.Event()

    def speak(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nbusy")
        done.wait(60)

    with raw_server(speak) as url:
        answer = send(RemoteConfig(name="one", url=url, timeout_seconds=SHORT_SECONDS))
        done.set()

    assert answer.outcome is Outcome.RETRY
    assert "imed out" in answer.detail


@pytest.mark.parametrize(
    "beginning",
    [b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 503 Busy\r\nX-Slow: "],
    ids=["text", "headers"],
)
def test_an_answer_that_drips_is_given_up(beginning: bytes) -> None:
    """Byte by byte for as long as ten time-outs."""
    done = threading.Event()
    heard_to_the_end = []

    def speak(connection: socket.socket) -> None:
        connection.sendall(beginning)
        for _ in range(40):
            if done.wait(SHORT_SECONDS / 4):
                return
            connection.sendall(b"x")
        heard_to_the_end.append(True)

    with raw_server(speak) as url:
        send(RemoteConfig(name="one", url=url, timeout_seconds=SHORT_SECONDS))
        done.set()

    assert heard_to_the_end == []


# TLS


class Certificates:
    """Of a server at 127.0.0.1, of one with another name, of a client, and of an authority that signed none."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority")
        self.other = Authority(folder, "other")
        self.server = self.authority.sign("server", "IP:127.0.0.1,DNS:localhost")
        self.named = self.authority.sign("named", "DNS:remote.test")
        self.client = self.authority.sign("client")

    @property
    def ca_file(self) -> str:
        return str(self.authority.root.cert)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def send_tls(
    certificate: Certificate,
    tls: RemoteTlsConfig,
    client_authority: Path | None = None,
    host: str = "127.0.0.1",
) -> tuple[Answer, list[Request]]:
    """The answer of a remote that has *certificate*, and what arrived there."""
    with FakeRemote(tls=server_context(certificate, client_authority)) as remote:
        answer = send(RemoteConfig(name="one", url=remote.url("https", host), tls=tls))
    return answer, remote.requests


def test_a_certificate_of_an_authority_that_is_trusted_is_right(certificates: Certificates) -> None:
    answer, requests = send_tls(certificates.server, RemoteTlsConfig(ca_file=certificates.ca_file))

    assert answer == Answer(Outcome.SENT, "http_204")
    assert len(requests) == 1


@pytest.mark.parametrize("authority", ["the_systems", "another"])
def test_a_certificate_of_an_unknown_authority_is_waited_out(
    authority: str, certificates: Certificates
) -> None:
    ca_file = str(certificates.other.root.cert) if authority == "another" else ""

    answer, requests = send_tls(certificates.server, RemoteTlsConfig(ca_file=ca_file))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "tls")
    assert "unable to get local issuer certificate" in answer.detail
    assert requests == []


def test_a_certificate_for_another_name_is_waited_out(certificates: Certificates) -> None:
    answer, requests = send_tls(certificates.named, RemoteTlsConfig(ca_file=certificates.ca_file))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "tls")
    assert "127.0.0.1" in answer.detail
    assert requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_server_name_of_the_configuration_is_the_one_that_counts(
    host: str, certificates: Certificates
) -> None:
    tls = RemoteTlsConfig(ca_file=certificates.ca_file, server_name="remote.test")

    answer, _ = send_tls(certificates.named, tls, host=host)
    wrong, requests = send_tls(certificates.server, tls, host=host)

    assert answer.outcome is Outcome.SENT
    assert (wrong.outcome, wrong.reason) == (Outcome.RETRY, "tls")
    assert requests == []


def test_a_client_certificate_shows_who_we_are(certificates: Certificates) -> None:
    client = certificates.client
    tls = RemoteTlsConfig(ca_file=certificates.ca_file, cert_file=str(client.cert), key_file=str(client.key))

    answer, requests = send_tls(certificates.server, tls, certificates.authority.root.cert)

    assert answer.outcome is Outcome.SENT
    assert [request.peer for request in requests] == ["client"]


def test_without_the_client_certificate_that_a_remote_wants_it_waits(certificates: Certificates) -> None:
    tls = RemoteTlsConfig(ca_file=certificates.ca_file)

    answer, requests = send_tls(certificates.server, tls, certificates.authority.root.cert)

    assert answer.outcome is Outcome.RETRY
    assert answer.reason in {"tls", "unreachable"}
    assert requests == []


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unverified_certificate_is_taken_only_if_the_configuration_says_so(
    certificates: Certificates,
) -> None:
    answer, requests = send_tls(certificates.named, RemoteTlsConfig(insecure_skip_verify=True))

    assert answer.outcome is Outcome.SENT
    assert len(requests) == 1


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("setting", ["ca_file", "insecure_skip_verify"])
def test_an_environment_variable_does_not_override_the_configuration(
    variable: str, setting: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificates.other.root.cert))
    values: dict[str, Any] = {"ca_file": certificates.ca_file, "insecure_skip_verify": True}

    answer, _ = send_tls(certificates.server, RemoteTlsConfig(**{setting: values[setting]}))

    assert answer.outcome is Outcome.SENT


@pytest.mark.parametrize("setting", ["ca_file", "cert_file"])
def test_a_certificate_file_that_is_gone_is_an_answer(
    setting: str, certificates: Certificates, tmp_path: Path
) -> None:
    """It was there when the bridge started; somebody is renewing it."""
    gone = str(tmp_path / "gone.pem")
    files: dict[str, Any] = {"ca_file": certificates.ca_file, setting: gone}
    if setting == "cert_file":
        files["key_file"] = str(certificates.client.key)

    answer, requests = send_tls(certificates.server, RemoteTlsConfig(**files))

    assert answer.outcome is Outcome.RETRY
    assert gone in answer.detail
    assert requests == []


def test_http_spoken_at_an_https_url_is_waited_out(remote: FakeRemote) -> None:
    answer = send(settings_of(remote, "https"))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "tls")
    assert remote.requests == []


def test_tls_spoken_at_an_http_url_is_waited_out(certificates: Certificates) -> None:
    with FakeRemote(tls=server_context(certificates.server)) as remote:
        answer = send(settings_of(remote))

    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "unreachable")
    assert remote.requests == []
