"""One POST to a remote, and its Answer. Whatever goes wrong on the way is an Answer too."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cramjam
import requests
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
        self._session.mount("https://", _Adapter(remote))
        self._session.verify = remote.tls.ca_file or True
        if remote.tls.insecure_skip_verify:
            self._session.verify = False
        if remote.tls.cert_file:
            self._session.cert = (remote.tls.cert_file, remote.tls.key_file)

    def close(self) -> None:
        self._session.close()

    def send(self, message: bytes) -> Answer:
        """POST a ``WriteRequest``."""
        try:
            headers = self._headers | self._secret_headers()
            with self._session.post(
                self._remote.url,
                data=bytes(cramjam.snappy.compress_raw(message)),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(ANSWER_BYTES, decode_content=False)
                detail = _one_line(body.decode(errors="replace"))
                location = response.headers.get("Location")
                if response.is_redirect and location:
                    detail = f"redirects to {location}; set the URL to where it shall go"
                return answer_of(
                    response.status_code, response.headers.get("Retry-After"), detail, datetime.now(UTC)
                )
        except SecretUnreadable as error:
            return Answer(Outcome.RETRY, "secret_file", str(error))
        except requests.exceptions.SSLError as error:
            return Answer(Outcome.RETRY, "tls", _cause(error))
        except requests.exceptions.Timeout as error:
            return Answer(Outcome.RETRY, "timeout", _cause(error))
        except requests.exceptions.ConnectionError as error:
            return Answer(Outcome.RETRY, "unreachable", _cause(error))
        # requests lets some of urllib3's errors and those of its sockets through.
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            return Answer(Outcome.RETRY, "protocol", _cause(error))
        except Exception as error:
            if type(error).__module__.startswith("urllib3"):
                return Answer(Outcome.RETRY, "protocol", _cause(error))
            raise

    def _secret_headers(self) -> dict[str, str]:
        """Headers that the configuration names, their values read from files each time: they may be renewed."""
        remote = self._remote
        headers = dict(remote.headers)
        for name, file in remote.header_files.items():
            headers[name] = read_secret(file, f"header_files {name}")
        if remote.bearer_token_file:
            headers["Authorization"] = f"Bearer {read_secret(remote.bearer_token_file, 'bearer_token_file')}"
        elif remote.username:
            password = read_secret(remote.password_file, "password_file") if remote.password_file else ""
            headers["Authorization"] = requests.auth._basic_auth_str(remote.username, password)
        return headers


class _Adapter(HTTPAdapter):
    """HTTPS with the server name that the configuration asks for."""

    def __init__(self, remote: RemoteConfig) -> None:
        self._server_name = remote.tls.server_name
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        if self._server_name:
            settings["server_hostname"] = settings["assert_hostname"] = self._server_name
        super().init_poolmanager(*arguments, **settings)


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
