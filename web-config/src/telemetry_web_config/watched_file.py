"""A web configuration file that is read again when it changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from telemetry_web_config.config import WebConfig, read_config
from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.source import Source, fingerprint


class WatchedFile:
    """What the file said when it was last right. Raises WebConfigError if it is not at the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        source = Source(path)
        self.config = read_config(source)
        self.context = self.config.ssl_context()
        self._seen = source.seen
        self.problem: WebConfigError | None = None
        """Why what is there now cannot be used; None if it is what runs."""

    def refresh(self) -> bool:
        """Look whether the file, or one that it names, was changed; whether it now says something else.

        Raises WebConfigError, once for each change, if what is there now cannot be used; what was there before stays.
        """
        if all(fingerprint(path) == seen for path, seen in self._seen.items()):
            return False
        source = Source(self._path)
        try:
            config = read_config(source)
            _refuse(self.config, config)
            context = self.context if config.tls == self.config.tls else config.ssl_context()
        except WebConfigError as error:
            self.problem = error
            raise
        finally:
            self._seen = source.seen
        self.problem = None
        changed = config != self.config
        self.config, self.context = config, context
        return changed


def _refuse(old: WebConfig, new: WebConfig) -> None:
    """A file that is just being written ends too early, and must not open the server for that moment."""
    lost = None
    if (old.tls is None) != (new.tls is None):
        raise WebConfigError(new.file, "tls_server_config", "to begin or end with TLS needs a restart")
    if old.users and not new.users:
        lost = "basic_auth_users"
    elif old.tls is not None and new.tls is not None:
        if new.tls.client_auth < old.tls.client_auth:
            lost = "tls_server_config.client_auth_type"
        elif old.tls.client_allowed_sans and not new.tls.client_allowed_sans:
            lost = "tls_server_config.client_allowed_sans"
        elif new.tls.certificate != old.tls.certificate and new.tls.not_after <= datetime.now(UTC):
            problem = f"{new.tls.certificate.origin} expired at {new.tls.not_after.isoformat()}"
            raise WebConfigError(new.file, new.tls.certificate.key, problem)
    if lost is not None:
        raise WebConfigError(new.file, lost, "is gone or weaker than before: that needs a restart")
