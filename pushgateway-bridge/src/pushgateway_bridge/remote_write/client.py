"""One POST to a remote, and its Answer. Whatever goes wrong on the way is an Answer too."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cramjam
import requests
import urllib3
from requests.adapters import HTTPAdapter

from pushgateway_bridge.config import RemoteConfig
from pushgateway_bridge.remote_write.answer import Answer, Outcome, answer_of

ANSWER_BYTES: Final = 1024
"""How much of an answer is looked at."""
DETAIL_CHARACTERS: Final = 300


class SecretUnreadable(Exception):
    """A file that a remote's configuration names cannot be read; ``str(error)`` names setting and file."""


class Client:
    """Speaks to one remote on a kept connection; for one thread."""

    def __init__(self, remote: RemoteConfig, version: str) -> None:
        self._remote = remote
        self._headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
            "User-Agent": f"pushgateway-bridge/{version}",
        }
        self._timeout = (min(remote.timeout_seconds, 10.0), remote.timeout_seconds)
        self._session = requests.Session()
        self._session.auth = _no_netrc
        self._adapter = _Adapter(remote)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        # Said with each request: what stands in the environment would win over what the session says.
        self._verify: bool | str = not remote.tls.insecure_skip_verify
        if self._verify and remote.tls.ca_file:
            self._verify = remote.tls.ca_file
        self._cert = (remote.tls.cert_file, remote.tls.key_file) if remote.tls.cert_file else None

    def close(self) -> None:
        self._session.close()

    def send(self, message: bytes) -> Answer:
        """POST a ``WriteRequest``."""
        try:
            headers: dict[str, bytes | str] = {**self._headers, **self._secret_headers()}
        except SecretUnreadable as error:
            return Answer(Outcome.RETRY, "secret_file", str(error))
        body = bytes(cramjam.snappy.compress_raw(message))
        # The library's time-outs are those between two bytes: this one is for the whole.
        late = threading.Event()
        timer = threading.Timer(self._remote.timeout_seconds, self._give_up, (late,))
        timer.daemon = True
        timer.start()
        try:
            answer = self._post(body, headers)
        finally:
            timer.cancel()
        return (
            Answer(Outcome.RETRY, "timeout", "timed out: the answer took too long")
            if late.is_set()
            else answer
        )

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self._adapter.hang_up()

    def _post(self, body: bytes, headers: Mapping[str, bytes | str]) -> Answer:
        try:
            with self._session.post(
                self._remote.url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
                cert=self._cert,
            ) as response:
                detail = response.raw.read(ANSWER_BYTES, decode_content=False).decode(errors="replace")
                location = response.headers.get("Location")
                if response.is_redirect and location:
                    detail = f"redirects to {location}; set the URL to where it shall go"
                return answer_of(
                    response.status_code,
                    response.headers.get("Retry-After"),
                    _one_line(detail),
                    datetime.now(UTC),
                )
        except requests.exceptions.InvalidHeader:
            # Its text holds the value, which may be a secret.
            return Answer(
                Outcome.RETRY, "secret_file", "a header of the configuration holds what no header may"
            )
        except requests.exceptions.SSLError as error:
            return Answer(Outcome.RETRY, "tls", _cause(error))
        except requests.exceptions.Timeout as error:
            return Answer(Outcome.RETRY, "timeout", _cause(error))
        except requests.exceptions.ConnectionError as error:
            return Answer(Outcome.RETRY, "unreachable", _cause(error))
        # requests lets some of urllib3's errors and those of its sockets through.
        except (
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            return Answer(Outcome.RETRY, "protocol", _cause(error))

    def _secret_headers(self) -> dict[str, bytes]:
        """Headers that the configuration names, their values read from files each time: they may be renewed."""
        remote = self._remote
        headers = {name: value.encode() for name, value in remote.headers.items()}
        for name, file in remote.header_files.items():
            headers[name] = read_secret(file, f"header_files {name}").encode()
        if remote.bearer_token_file:
            token = read_secret(remote.bearer_token_file, "bearer_token_file")
            headers["Authorization"] = f"Bearer {token}".encode()
        elif remote.username:
            password = read_secret(remote.password_file, "password_file") if remote.password_file else ""
            headers["Authorization"] = b"Basic " + b64encode(f"{remote.username}:{password}".encode())
        return headers


class _Adapter(HTTPAdapter):
    """Knows its connection, to hang up; HTTPS with the server name that the configuration asks for."""

    def __init__(self, remote: RemoteConfig) -> None:
        self._server_name = remote.tls.server_name
        self._connection: urllib3.connection.HTTPConnection | None = None
        super().__init__()

    def hang_up(self) -> None:
        """End a request under way, from another thread."""
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        if self._server_name:
            settings["server_hostname"] = settings["assert_hostname"] = self._server_name
        super().init_poolmanager(*arguments, **settings)
        adapter = self

        class Http(urllib3.connection.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                adapter._connection = self

        class Https(urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                adapter._connection = self

        class HttpPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Https

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}


def read_secret(file: str, setting: str) -> str:
    """The text in *file* without the line break at its end. Raises SecretUnreadable."""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise SecretUnreadable(f"{setting} {file}: {reason}") from error


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request alone: without this a ~/.netrc would be asked."""
    return request


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom, in one line; the layers above it add addresses of objects."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if isinstance(inner, BaseException):
            error = inner
        elif error.args and isinstance(error.args[0], BaseException):
            error = error.args[0]
        else:
            break
    text = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return _one_line(text or type(error).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:DETAIL_CHARACTERS]
