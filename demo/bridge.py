"""The bridge as the demo uses it: pushes, tokens, deletions, and one look at what is counted already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import requests

from demo.reports import Report

TIMEOUT_SECONDS = 15.0
JSON = "application/json"


class DemoFailed(Exception):
    """The demo cannot go on. ``str(error)`` is what the person at the terminal is told."""


class Token(NamedTuple):
    """A token of the bridge, without its text."""

    id: int
    name: str
    job: str
    instance: str


class Bridge:
    """One connection to a bridge; a thread has its own."""

    def __init__(self, url: str, token: str = "") -> None:
        """*token* is one with the right admin; pushes do not use it."""
        self.url = url.rstrip("/")
        self._admin = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = requests.Session()
        # Neither a proxy nor a .netrc of the person at the terminal: they would change who pushes.
        self._session.trust_env = False

    def check(self) -> None:
        """Raises DemoFailed unless the bridge answers and is ready."""
        answer = self._ask("GET", "/-/ready")
        if answer.status_code != 200:
            raise DemoFailed(
                f"the bridge at {self.url} is not ready ({answer.status_code}): try again in a moment"
            )

    def push(self, report: Report, token: str = "") -> int:
        """The status with which *report* was answered; 0 if nobody answered."""
        headers = {"Content-Type": JSON, **dict(report.headers)}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            if isinstance(report.body, str):
                headers["Content-Type"] = "text/plain"
                answer = self._session.put(
                    self.url + report.path, report.body.encode(), headers=headers, timeout=TIMEOUT_SECONDS
                )
            else:
                answer = self._session.post(
                    self.url + report.path, json=report.body, headers=headers, timeout=TIMEOUT_SECONDS
                )
        except requests.RequestException:
            return 0
        return answer.status_code

    def tokens(self) -> list[Token]:
        """All that are good. Raises DemoFailed, also if the token is not an admin's."""
        return [
            Token(one["id"], one["name"], one["job"], one["instance"])
            for one in self._administer("GET", "/api/v1/tokens").json()
            if one["state"] in {"active", "pending"}
        ]

    def make_token(self, name: str, job: str = "", instance: str = "") -> str:
        """The text of a new push token that lasts a month. Raises DemoFailed."""
        new = {
            "name": name,
            "rights": ["push"],
            "job": job,
            "instance": instance,
            "lifetime_seconds": 30 * 86_400,
        }
        text = self._administer("POST", "/api/v1/tokens", json=new).json()["token"]
        return str(text)

    def revoke(self, token: Token) -> None:
        """Make *token* void. Raises DemoFailed."""
        self._administer("DELETE", f"/api/v1/tokens/{token.id}")

    def sources(self, job: str, instances: Iterable[str]) -> list[str]:
        """Which of these *instances* of *job* the bridge knows, up to a thousand. Raises DemoFailed."""
        asked = {"job": job, "instance": [*instances], "limit": "1000"}
        found = self._administer("GET", "/api/v1/sources", params=asked).json()["sources"]
        return [one["instance"] for one in found]

    def delete(self, path: str, parameters: Mapping[str, str | Iterable[str]]) -> requests.Response:
        """What the bridge answered to the deletion of what *path* and *parameters* name. Raises DemoFailed."""
        return self._ask("DELETE", path, params=parameters, headers=self._admin)

    def label_values(self, family: str, label: str) -> set[str]:
        """Values of *label* of the metric *family* that the bridge shows now. Raises DemoFailed."""
        answer = self._ask("GET", "/metrics", headers=self._admin)
        if answer.status_code != 200:
            raise DemoFailed(f"{self.url}/metrics answers {answer.status_code}")
        return set(values_in(answer.text.splitlines(), family, label))

    def has_history(self, query: str) -> bool:
        """Whether the bridge's Prometheus answers *query* with anything; not if it has none or it does not answer."""
        answer = self._ask("GET", "/api/v1/prometheus/query", params={"query": query}, headers=self._admin)
        if answer.status_code != 200:
            return False
        return bool(answer.json()["data"]["result"])

    def _administer(self, method: str, path: str, **request: Any) -> requests.Response:
        answer = self._ask(method, path, headers=self._admin, **request)
        if answer.status_code in {401, 403}:
            raise DemoFailed("the token is not one with the right admin: see demo --help")
        if not answer.ok:
            raise DemoFailed(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def _ask(self, method: str, path: str, **request: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=TIMEOUT_SECONDS, **request)
        except requests.RequestException as error:
            raise DemoFailed(
                f"nobody answers at {self.url} ({type(error).__name__}): start the stack with 'make up', "
                "or say where its bridge is with --bridge.url"
            ) from error


def values_in(lines: Iterable[str], family: str, label: str) -> Iterable[str]:
    """Values of *label* in the *lines* of an exposition that are of *family*."""
    wanted = re.compile(rf'{re.escape(family)}\{{(?:.*,)?{re.escape(label)}="([^"]*)"')
    return (found[1] for line in lines if (found := wanted.match(line)))
