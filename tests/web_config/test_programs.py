"""The real programs with the same files: who gets in, what is taken over while they run, and why they do not start."""

from __future__ import annotations

import base64
import http.client
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest

from tests.web_config.material import FILES, Certificates, place

pytestmark = pytest.mark.stack

WAIT_SECONDS = 20
"""Until something that must happen counts as not happening."""

Put = Callable[[str], Path]


class Program(NamedTuple):
    """One that has ``--web.config.file``."""

    module: str
    arguments: tuple[str, ...] = ()
    """What it needs beyond address and file; ``{folder}`` is a folder of its own."""
    protected: tuple[str, ...] = ("/metrics", "/", "/health", "/nope")
    """What users are asked for a password at, whether or not there is something."""
    open: tuple[str, ...] = ("/-/healthy", "/-/ready")
    ready: str = "listening"
    """What its log says when it answers."""


PROGRAMS = (
    Program("host_exporter"),
    # Pushes and plain pages are no secrets of a bridge: who may push is another setting's matter.
    Program(
        "pushgateway_bridge",
        ("--journal.directory={folder}",),
        ("/metrics", "/dashboard", "/api/telemetry"),
        ready=" ready ",
    ),
)
"""Every program that reads the file; each has to pass every test with every file."""


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.module)
def program(request: pytest.FixtureRequest) -> Program:
    chosen: Program = request.param
    return chosen


class Running:
    """A started program."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process, self.port, self._log = process, port, log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self, tls: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        if tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=WAIT_SECONDS)

    def ask(
        self, path: str, tls: ssl.SSLContext | None = None, user: str = "", password: str = ""
    ) -> http.client.HTTPResponse:
        """The answer, on a connection of its own."""
        connection = self.connect(tls)
        try:
            return ask(connection, path, user, password)
        finally:
            connection.close()

    def wait_for_log(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while self.log.count(text) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{text!r} is not {times} times in the log:\n{self.log}")
            time.sleep(0.05)


def ask(
    connection: http.client.HTTPConnection, path: str, user: str = "", password: str = ""
) -> http.client.HTTPResponse:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"} if user else {})
    response = connection.getresponse()
    response.read()
    return response


def certificate_of(connection: http.client.HTTPConnection) -> bytes:
    assert isinstance(connection.sock, ssl.SSLSocket)
    return connection.sock.getpeercert(binary_form=True) or b""


def command(program: Program, address: str, file: Path) -> list[str]:
    """The arguments that start *program* with *file*."""
    own = file.parent / "own"
    arguments = [argument.replace("{folder}", str(own)) for argument in program.arguments]
    web = ["--web.listen-address", address, "--web.config.file", str(file)]
    return [sys.executable, "-m", program.module, "serve", *web, *arguments]


@contextmanager
def running(program: Program, file: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = file.parent / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(command(program, f"127.0.0.1:{port}", file), stderr=stderr, text=True)
    with process:
        try:
            started = Running(process, port, log)
            deadline = time.monotonic() + WAIT_SECONDS
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    if program.ready in started.log:
                        break
                except ConnectionRefusedError:
                    pass
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"it did not start:\n{started.log}")
                time.sleep(0.05)
            yield started
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_SECONDS) == 0
            assert "Traceback" not in started.log
        finally:
            process.kill()


def user_line(name: str, password: str) -> str:
    return f"  {name}: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


def test_only_users_are_answered_and_health_is_told_to_everyone(program: Program, configured: Put) -> None:
    headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=5\n"
    text = (FILES / "right/users.yml").read_text()

    with running(program, configured(headers + text)) as server:
        asked = {
            ("", ""): 401,
            ("alice", "wrong"): 401,
            ("mallory", "alice's password"): 401,
            ("bob", "alice's password"): 401,
        }
        for (user, password), status in asked.items():
            for path in program.protected:
                answer = server.ask(path, None, user, password)
                assert answer.status == status, path
                assert answer.headers["WWW-Authenticate"].partition(" ")[0] == "Basic", path
                assert answer.headers.get_all("X-Frame-Options") == ["deny"], path
                assert answer.headers.get_all("Date", [])[1:] == [], path
        for path in program.open:
            answer = server.ask(path)
            assert answer.status == 200
            assert answer.headers["Strict-Transport-Security"] == "max-age=5"
        for user, password in (("alice", "alice's password"), ("bob", "bob's password")):
            answer = server.ask("/metrics", None, user, password)
            assert answer.status == 200
            assert answer.headers.get_all("X-Frame-Options") == ["deny"]
        for secret in ("password", "mallory", "alice", "$2"):
            assert secret not in server.log


def test_a_policy_of_the_page_itself_is_not_replaced(configured: Put) -> None:
    """The exporter's page needs its own style."""
    text = "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n"

    with running(PROGRAMS[0], configured(text)) as server:
        own = server.ask("/").headers.get_all("Content-Security-Policy")
        assert own == ["default-src 'none'; style-src 'unsafe-inline'"]
        assert server.ask("/metrics").headers["Content-Security-Policy"] == "default-src 'self'"


def test_only_clients_with_our_certificate_are_answered(
    program: Program, configured: Put, certificates: Certificates
) -> None:
    with running(program, configured("right/client_names")) as server:
        ours = certificates.client_context(certificates.client)
        assert server.ask("/-/healthy", ours).status == 200

        # A server of TLS 1.3 refuses after the client's side of the handshake, so the client learns it when it asks.
        for client in (None, certificates.foreign_client, certificates.other_client):
            with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                server.ask("/-/healthy", certificates.client_context(client))
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            server.ask("/-/healthy")
        assert server.ask("/-/healthy", ours).status == 200


def test_what_changes_is_taken_over_and_what_is_broken_is_not(
    program: Program, configured: Put, folder: Path, certificates: Certificates
) -> None:
    tls = certificates.client_context()
    text = (FILES / "right/tls.yml").read_text() + "basic_auth_users:\n" + user_line("alice", "one")
    with running(program, configured(text)) as server:
        connection = server.connect(tls)
        assert ask(connection, "/metrics", "alice", "one").status == 200
        first = certificate_of(connection)

        configured("broken/unknown_key")
        server.wait_for_log("web configuration refused")
        assert server.ask("/metrics", tls, "alice", "one").status == 200

        configured(text + user_line("bob", "two"))
        server.wait_for_log("web configuration re-read")
        place(folder, certificates.issue_server())
        server.wait_for_log("web configuration re-read", times=2)
        assert ask(connection, "/metrics", "bob", "two").status == 200
        assert certificate_of(connection) == first
        other = server.connect(tls)
        assert ask(other, "/metrics", "alice", "one").status == 200
        assert certificate_of(other) != first
        other.close()

        configured(text.replace("alice:", "carol:"))
        server.wait_for_log("web configuration re-read", times=3)
        assert ask(connection, "/metrics", "alice", "one").status == 401
        assert ask(connection, "/metrics", "carol", "one").status == 200
        assert server.log.count("web configuration refused") == 1
        assert "cert_fil: is unknown: did you mean 'cert_file'?" in server.log
        # The open connection is idle and its client says no goodbye: the program ends all the same.
    connection.close()


def test_what_is_doubtful_is_a_warning_and_no_reason_not_to_start(
    program: Program, configured: Put, folder: Path, certificates: Certificates
) -> None:
    place(folder, certificates.expired)
    (folder / "server.key").chmod(0o644)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

    with running(program, configured("right/tls")) as server:
        assert server.ask("/-/healthy", unverified).status == 200
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
            server.ask("/-/healthy", certificates.client_context())
        warnings = [line for line in server.log.splitlines() if "level=warning" in line]
        assert len(warnings) == 2
        assert f"tls_server_config.cert_file: {folder}/server.crt expired at " in warnings[0]
        assert f"tls_server_config.key_file: {folder}/server.key can be read by every user" in warnings[1]


@pytest.mark.parametrize("name", ["unknown_key", "foreign_key", "missing_file", "password_for_hash"])
def test_a_file_that_is_wrong_is_one_line_and_status_3(
    program: Program, name: str, configured: Put, folder: Path
) -> None:
    path = configured(f"broken/{name}")
    expected = path.read_text().splitlines()[0].removeprefix("# ").replace("{folder}", str(folder))

    done = subprocess.run(
        command(program, "127.0.0.1:0", path),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )

    assert done.returncode == 3
    assert done.stderr.endswith(f": {path}: {expected}\n")
    assert done.stderr.count("\n") == 1


def test_a_key_that_may_not_be_read_is_told(
    program: Program, configured: Put, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Root may read everything, so for it a link that leads nowhere stands for the file."""
    (folder / "server.key").unlink()
    (folder / "server.key").symlink_to(folder / "server.key")

    done = subprocess.run(
        command(program, "127.0.0.1:0", configured("right/tls")),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )

    assert done.returncode == 3
    told = f"tls_server_config.key_file: cannot read {folder}/server.key: Too many levels of symbolic links\n"
    assert done.stderr.endswith(told)
