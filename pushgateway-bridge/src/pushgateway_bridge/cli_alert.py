"""``pushgateway-bridge alert``: whether those are told of alerts who shall be."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import requests

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.receivers import (
    GROUP_SECONDS,
    LEFT_OUT,
    TEST_ID,
    Counts,
    Key,
    Receivers,
    Result,
    Row,
    alerts_for,
    exit_code,
    judge,
    parse_counts,
    parse_receivers,
    table,
    tells_receivers,
)
from pushgateway_bridge.render_config import settings_lookup

DEFAULT_ADDRESS: Final = "127.0.0.1:9093"
REQUEST_SECONDS: Final = 10
LOOK_SECONDS: Final = 0.25
QUIET_SECONDS: Final = GROUP_SECONDS + 10
"""How long Alertmanager may still be busy with a test that failed, after it was resolved."""


class AlertmanagerFailed(click.ClickException):
    """Alertmanager cannot be asked, or not for this."""

    exit_code = 3


class Alertmanager:
    """A running Alertmanager's API. Each method raises AlertmanagerFailed."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # it is a neighbour: no proxy leads there

    def _ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self.url + path, timeout=REQUEST_SECONDS, **arguments)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise AlertmanagerFailed(f"Alertmanager does not answer at {self.url}") from error
        except (requests.RequestException, ValueError) as error:
            raise AlertmanagerFailed(f"{self.url}: {error}") from error
        if not answer.ok:
            said = " ".join(answer.text.split())[:200]
            raise AlertmanagerFailed(
                f"Alertmanager at {self.url} answers {path} with {answer.status_code}: {said}"
            )
        return answer

    def _list(self, path: str, **parameters: str) -> list[Any]:
        document = self._json(path, **parameters)
        if not isinstance(document, list):
            raise AlertmanagerFailed(f"what is at {self.url} is no Alertmanager: {path} is no list")
        return document

    def _json(self, path: str, **parameters: str) -> Any:
        answer = self._ask("GET", path, params=parameters)
        try:
            return answer.json()
        except ValueError as error:
            raise AlertmanagerFailed(
                f"what is at {self.url} is no Alertmanager: {path} is no JSON"
            ) from error

    def names(self) -> list[str]:
        """The receivers."""
        return [one["name"] for one in self._list("/api/v2/receivers")]

    def receivers(self) -> Receivers:
        """What its configuration says of them."""
        try:
            return parse_receivers(self._json("/api/v2/status")["config"]["original"])
        except (KeyError, TypeError, ValueError) as error:
            raise AlertmanagerFailed(f"/api/v2/status of {self.url}: {error}") from error

    def counts(self) -> dict[Key, Counts]:
        """What it has counted of notifications."""
        try:
            return parse_counts(self._ask("GET", "/metrics").text)
        except (KeyError, ValueError) as error:
            raise AlertmanagerFailed(f"/metrics of {self.url}: {error}") from error

    def post(self, alerts: list[dict[str, object]]) -> None:
        """Have it notify of *alerts*."""
        self._ask("POST", "/api/v2/alerts", json=alerts)

    def hindered(self, test_id: str) -> dict[str, str]:
        """Receiver → why it is not told of the test."""
        found = {}
        for alert in self._list("/api/v2/alerts", filter=f'{TEST_ID}="{test_id}"'):
            for why in ("silencedBy", "inhibitedBy", "mutedBy"):
                if by := alert["status"].get(why):
                    word = why.removesuffix("By")
                    found.update({one["name"]: f"{word} by {by[0]}" for one in alert["receivers"]})
        return found


@click.group()
def alert() -> None:
    """Try the ways on which people are told of alerts."""


@alert.command("test")
@click.option(
    "--receiver",
    "named",
    metavar="NAME",
    multiple=True,
    help=f"Only this one; may be repeated. Without it all are tried but {' and '.join(LEFT_OUT)}, which machines read.",
)
@click.option(
    "--alertmanager.url",
    "url",
    metavar="URL",
    help=f"Without it http:// and ALERTMANAGER_ADDRESS, which is {DEFAULT_ADDRESS} unless it is set.",
)
@click.option(
    "--env.file", "env_file", type=click.Path(path_type=Path), help="NAME=value lines, if it is there."
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="Seconds to wait for a result.",
)
def test_command(named: Sequence[str], url: str | None, env_file: Path | None, seconds: float) -> None:
    """Send a real alert through each receiver and say what became of it.

    The alerts say that they are a test, reach nobody but the receiver that is tried, and are resolved at the end.
    Exit code 0 if every integration took its alert, 1 if one did not or none is configured, 3 if Alertmanager cannot
    be asked.
    """
    alertmanager = Alertmanager(url or default_url(env_file))
    there = alertmanager.names()
    for name in named:
        if name not in there:
            raise click.BadParameter(
                f"there is no {name!r}; there are {', '.join(there)}", param_hint="--receiver"
            )
    receivers = alertmanager.receivers()
    chosen = list(dict.fromkeys(named)) or [name for name in there if name not in LEFT_OUT]
    if untested := [name for name in chosen if name not in receivers.tested]:
        raise AlertmanagerFailed(
            f"Alertmanager's configuration has no route for tests of {', '.join(untested)}: write it anew with "
            "'pushgateway-bridge render-config' and have Alertmanager load it"
        )
    left_out = [name for name in there if name not in chosen and name in LEFT_OUT]
    if left_out and not named:
        click.echo(
            f"left out, as machines read them: {', '.join(left_out)} (--receiver NAME tries one)", err=True
        )
    rows = Trial(alertmanager, receivers, seconds).run(chosen)
    for line in table(rows):
        click.echo(line)
    if any(row.result is Result.FAILED for row in rows):
        click.echo("What the other side answered is in Alertmanager's log.", err=True)
    if all(row.result is Result.NOTHING for row in rows):
        click.echo("Nobody is told of alerts: see .env.example for what to set.", err=True)
    raise SystemExit(exit_code(rows))


def default_url(env_file: Path | None) -> str:
    """Where the stack's Alertmanager is."""
    try:
        address = settings_lookup(os.environ, env_file)("ALERTMANAGER_ADDRESS") or DEFAULT_ADDRESS
    except StartFailed as error:
        raise AlertmanagerFailed(str(error)) from error
    return f"http://{address}"


class Trial:
    """One run of the command."""

    def __init__(self, alertmanager: Alertmanager, receivers: Receivers, seconds: float) -> None:
        self._alertmanager = alertmanager
        self._integrations = receivers.integrations
        self._seconds = seconds
        self._begin = datetime.now(UTC)
        self._test_id = secrets.token_hex(8)
        self._posted: list[str] = []

    def run(self, chosen: Sequence[str]) -> list[Row]:
        """Try the receivers in *chosen*: all at once where Alertmanager counts by receiver, else one by one."""
        together = tells_receivers(self._alertmanager.counts())
        configured = [name for name in chosen if self._integrations[name]]
        rows = {name: [Row(name, "", Result.NOTHING)] for name in chosen if name not in configured}
        try:
            if together:
                rows |= self._try(configured, labelled=True)
            else:
                for number, name in enumerate(configured, 1):
                    rows |= self._try([name], labelled=False)
                    if number < len(configured):
                        self._let_fail(rows[name])
        finally:
            self._resolve(self._posted)
        return [row for name in chosen for row in rows[name]]

    def _let_fail(self, rows: Sequence[Row]) -> None:
        """Wait until Alertmanager does not try a failing receiver any more: that would look like the next one's."""
        if any(row.result is not Result.OK for row in rows):
            self._resolve([rows[0].receiver])
            time.sleep(QUIET_SECONDS)

    def _try(self, names: Sequence[str], *, labelled: bool) -> dict[str, list[Row]]:
        before = self._alertmanager.counts()
        self._post(names, datetime.now(UTC) + timedelta(seconds=self._seconds + 60))
        self._posted.extend(names)
        deadline = time.monotonic() + self._seconds
        while True:
            now = self._alertmanager.counts()
            rows = {name: list(self._rows(name, before, now, labelled=labelled)) for name in names}
            waiting = any(row.result is Result.UNKNOWN for found in rows.values() for row in found)
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)
        return self._explained(rows) if waiting else rows

    def _rows(
        self, name: str, before: dict[Key, Counts], now: dict[Key, Counts], *, labelled: bool
    ) -> Iterable[Row]:
        for integration, number in self._integrations[name].items():
            key = (name if labelled else "", integration)
            result, detail = judge(before.get(key, Counts()), now.get(key, Counts()), number)
            yield Row(name, integration, result, detail)

    def _explained(self, rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
        """*rows* with a word on why there is no result."""
        hindered = self._alertmanager.hindered(self._test_id)
        missing = f"no result within {self._seconds:g} s"
        return {
            name: [
                row._replace(detail=row.detail or hindered.get(name, missing))
                if row.result is Result.UNKNOWN
                else row
                for row in found
            ]
            for name, found in rows.items()
        }

    def _post(self, names: Iterable[str], end: datetime) -> None:
        self._alertmanager.post(alerts_for(names, self._test_id, self._begin, end))

    def _resolve(self, names: Sequence[str]) -> None:
        if names:
            self._post(names, datetime.now(UTC))
