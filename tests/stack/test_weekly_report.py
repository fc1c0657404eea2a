"""The weekly report from a real Prometheus, filled with weeks of the past, to a mail."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import trustme
from click.testing import CliRunner, Result

from pushgateway_bridge.cli import main
from pushgateway_bridge.reports.schedule import FILE
from pushgateway_bridge.reports.week import last_week
from tests.bridge.process import BridgeProcess
from tests.ports import free_port
from tests.stack.alerts.alertmanager import running, wait_for
from tests.stack.alerts.chain import PASSWORD, USER
from tests.stack.alerts.services import Mailbox, mail_server
from tests.stack.programs import find

pytestmark = pytest.mark.stack

W10: Final = datetime(2026, 3, 2, tzinfo=UTC)
W11: Final = W10 + timedelta(days=7)
W12: Final = W11 + timedelta(days=7)
HOUR: Final = timedelta(hours=1)
JUST_BEFORE: Final = timedelta(seconds=-2)
JUST_AFTER: Final = timedelta(seconds=3)

Worth = Callable[[datetime], float | None]


class Counter(NamedTuple):
    """A series, and what it was worth when; None while it was not there."""

    name: str
    labels: str
    worth: Worth


def steps(*values: tuple[datetime, float | None]) -> Worth:
    """What the last of *values* before a time says; nothing before the first."""

    def worth(at: datetime) -> float | None:
        return next((value for begin, value in reversed(values) if begin <= at), None)

    return worth


def growing(begin: float, first: float, second: float) -> Worth:
    """Evenly by *first* in the tenth week and by *second* in the eleventh; four of it in the second W11 begins with."""

    def worth(at: datetime) -> float:
        if at < W10:
            return begin
        if at < W11:
            return begin + first * min((at - W10) / (W11 - W10 + JUST_BEFORE), 1.0) // 1
        if at < W12:
            return begin + first + 4 + (second - 4) * min((at - W11) / (W12 - W11 + JUST_BEFORE), 1.0) // 1
        return begin + first + second + 9

    return worth


EXECUTIONS: Final = "proxmoxve_executions"
APPS: Final = "proxmoxve_app_executions"
SYSTEMS: Final = "proxmoxve_executions_by_os"
COUNTERS: Final = (
    Counter(EXECUTIONS, 'type="lxc",status="success"', growing(1_000_000, 100_000, 150_004)),
    # New on Thursday; Prometheus has its zero from its time of creation.
    Counter(
        EXECUTIONS,
        'type="lxc",status="failed"',
        steps((W10 + 72 * HOUR, 0), (W10 + 73 * HOUR, 7), (W11 + 50 * HOUR, 10)),
    ),
    # The journal was lost on Wednesday: begun anew.
    Counter(
        EXECUTIONS,
        'type="vm",status="failed"',
        steps(
            (W10 - HOUR, 100),
            (W10 + HOUR, 110),
            (W11 + HOUR, 120),
            (W11 + 60 * HOUR, 0),
            (W11 + 61 * HOUR, 5),
        ),
    ),
    Counter(EXECUTIONS, 'type="vm",status="aborted"', steps((W10 - HOUR, 77))),
    # The bridge was not scraped for two hours either side of midnight; what came then is of the later week.
    Counter(
        EXECUTIONS,
        'type="addon",status="success"',
        steps(
            (W10 - HOUR, 30),
            (W10 + HOUR, 40),
            (W11 - 2 * HOUR, None),
            (W11 + 2 * HOUR, 42),
            (W11 + 9 * HOUR, 50),
        ),
    ),
    *(
        Counter(APPS, f'app="{app}",status="{status}"', steps((W10 - HOUR, 5), (W11 + HOUR, 5 + number)))
        for app, status, number in (
            ("gitea", "success", 300),
            ("gitea", "failed", 100),
            (r"a<b>&\"c", "failed", 20),
            ("docker", "success", 14),
            ("rare", "failed", 14),
            ("unused", "success", 0),
        )
    ),
    *(
        Counter(
            SYSTEMS,
            f'os_type="{name}",os_version="{version}"',
            steps((W10 - HOUR, 1), (W11 + HOUR, 1 + number)),
        )
        for name, version, number in (("debian", "12", 90), ("debian", "13", 110), ("alpine", "3.20", 60))
    ),
)


def exposition() -> Iterator[str]:
    """COUNTERS as OpenMetrics with times: hourly, and close to the midnights between weeks."""
    hours = [W10 - HOUR + timedelta(minutes=17) + number * HOUR for number in range(2 * 168 + 1)]
    edges = [monday + moment for monday in (W10, W11, W12) for moment in (JUST_BEFORE, JUST_AFTER)]
    for family in dict.fromkeys(counter.name for counter in COUNTERS):
        yield f"# TYPE {family} counter"
        for counter in (one for one in COUNTERS if one.name == family):
            for at in sorted({*hours, *edges, W10 + 72 * HOUR}):
                if (value := counter.worth(at)) is not None:
                    yield f'{family}_total{{job="proxmoxve",{counter.labels}}} {value:.0f} {at.timestamp():.0f}'
    yield "# TYPE up gauge"
    for number in range(168 + 100):  # not in the last 68 hours of W11
        yield f'up{{job="bridge",instance="x"}} 1 {(W10 + number * HOUR).timestamp():.0f}'
    yield "# EOF"


@contextmanager
def prometheus_with(lines: Iterable[str], folder: Path) -> Iterator[str]:
    """The address of a Prometheus that has the samples in *lines* of OpenMetrics, and scrapes nothing."""
    (folder / "weeks.om").write_text("\n".join(lines) + "\n")
    (folder / "prometheus.yml").write_text("{}\n")
    subprocess.run(
        [
            *(find("promtool"), "tsdb", "create-blocks-from", "openmetrics"),
            *("--max-block-duration=32d", "--quiet", folder / "weeks.om", folder / "data"),
        ],
        check=True,
    )
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [
        find("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with running(command, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield f"http://{address}"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that has the weeks 10 and 11 of 2026."""
    with prometheus_with(exposition(), tmp_path_factory.mktemp("weeks")) as url:
        yield url


class PostOffice(NamedTuple):
    """A mail server, and how to send through it."""

    mailbox: Mailbox
    settings: str
    """As lines of an env file; the password is in a file of its own."""


@pytest.fixture
def post_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostOffice]:
    """Who connects from here trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.crt"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.crt"))
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(certificate)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    mailbox = Mailbox()
    with mail_server(mailbox, certificate, {USER: PASSWORD}) as port:
        yield PostOffice(
            mailbox,
            f"SMTP_HOST=127.0.0.1\nSMTP_PORT={port}\nSMTP_FROM=telemetry@example.org\n"
            f"ALERT_EMAIL=operator@example.org\nSMTP_USER={USER}\nSMTP_PASSWORD_FILE={tmp_path / 'password'}\n",
        )


def weekly(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["report", "weekly", *arguments], env=dict(environment))


def words(text: str) -> list[str]:
    """The lines, with single spaces, without empty ones."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_week_has_exactly_what_came_between_its_mondays(prometheus: str) -> None:
    """Large counters, new ones, one that began anew, and one that could not be seen at midnight."""
    result = weekly("--week=2026-W11", "--dry-run", f"--prometheus.url={prometheus}")

    assert result.exit_code == 0, result.output
    assert words(result.stdout) == [
        "Subject: Installations in week 2026-W11: 150032, 100.0% succeeded",
        "Installations in week 11 of 2026",
        "Monday 2026-03-09 to Sunday 2026-03-15, UTC",
        "Results",
        "Total 150032",
        "Succeeded 150014",
        "Failed 18",
        "Aborted 0",
        "Without a result 0",
        "Success rate 100.0%",
        "Against the week before",
        "Installations +50005 (+50.0%), from 100027",
        "Failure rate -0.0 percentage points, from 0.0%",
        "Most installed",
        "gitea 400",
        'a<b>&"c 20',
        "docker 14",
        "rare 14",
        "Highest failure rates",
        'a<b>&"c 20 of 20 (100.0%)',
        "gitea 100 of 400 (25.0%)",
        "By type",
        "lxc 150007 (100.0%)",
        "vm 15 (0.0%)",
        "addon 10 (0.0%)",
        "Guest systems",
        "debian 200",
        "alpine 60",
        "Incomplete",
        "Prometheus saw the bridge in 100 of the week's 168 hours: there may have been more installations than are "
        "counted here.",
    ]


def test_the_week_before_has_the_rest(prometheus: str) -> None:
    result = weekly("--week=2026-W10", "--dry-run", f"--prometheus.url={prometheus}")

    told = words(result.stdout)
    assert told[told.index("Results") + 1 : told.index("Aborted 0")] == [
        "Total 100027",
        "Succeeded 100010",
        "Failed 17",
    ]
    assert "Incomplete" not in told


@pytest.mark.parametrize("week", ["2026-W20", "2020-W01"])
def test_a_week_without_data_is_not_called_one_without_installations(prometheus: str, week: str) -> None:
    result = weekly(f"--week={week}", "--dry-run", f"--prometheus.url={prometheus}")

    assert result.exit_code == 0
    assert words(result.stdout)[0] == f"Subject: Installations in week {week}: no data"
    assert "Total" not in result.stdout


def test_the_page_has_no_markup_of_others(prometheus: str) -> None:
    result = weekly("--week=2026-W11", "--dry-run", "--format=html", f"--prometheus.url={prometheus}")

    assert result.stdout.startswith("<!DOCTYPE html>")
    assert "a&lt;b&gt;&amp;&quot;c" in result.stdout
    assert "<b>" not in result.stdout


def test_the_report_arrives_as_a_mail_by_the_settings_of_alerts(
    prometheus: str, post_office: PostOffice, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        f"{post_office.settings}PROMETHEUS_ADDRESS={prometheus.removeprefix('http://')}\n"
    )

    result = weekly("--week=2026-W11", f"--env.file={tmp_path / '.env'}")

    assert (result.exit_code, result.stdout) == (
        0,
        "the report of week 2026-W11 was sent to operator@example.org\n",
    ), result.stderr
    [mail] = post_office.mailbox.mails
    assert (mail.recipients, mail.login, mail.encrypted) == (("operator@example.org",), USER, True)
    assert mail.subject == "Installations in week 2026-W11: 150032, 100.0% succeeded"
    assert "Total 150032" in words(mail.part("plain"))
    assert re.search(r"<td[^>]*>Total</td><td[^>]*>150032</td>", mail.part("html"))


def test_a_bridge_that_was_away_on_monday_sends_it_by_itself(post_office: PostOffice, tmp_path: Path) -> None:
    """Of the week that is over now, whichever that is; the last one it told of is years ago."""
    week = last_week(datetime.now(UTC))
    lines = [
        "# TYPE proxmoxve_executions counter",
        *(
            f'proxmoxve_executions_total{{type="lxc",status="success"}} {hour} '
            f"{(week.begin + hour * HOUR).timestamp():.0f}"
            for hour in range(168)
        ),
        "# EOF",
    ]
    (tmp_path / ".env").write_text(post_office.settings)
    noted = tmp_path / "journal" / FILE
    noted.parent.mkdir()
    noted.write_text("2020-W01\n")
    with (
        prometheus_with(lines, tmp_path) as prometheus,
        BridgeProcess(
            tmp_path / "journal",
            f"--prometheus.url={prometheus}",
            f"--reports.env-file={tmp_path / '.env'}",
            "--reports.weekly-hour=0",
        ) as bridge,
    ):
        [mail] = wait_for("the mail", lambda: post_office.mailbox.mails)
        wait_for("the note", lambda: noted.read_text() == f"{week}\n")

        assert mail.subject == f"Installations in week {week}: 167, 100.0% succeeded"
        assert "\ntelemetry_weekly_reports_total 1" in bridge.get("/metrics")


@pytest.mark.parametrize("missing", ["SMTP_HOST", "ALERT_EMAIL"])
def test_without_mail_settings_the_command_names_what_is_missing(missing: str, tmp_path: Path) -> None:
    settings = {"SMTP_HOST": "a", "SMTP_PORT": "1", "SMTP_FROM": "a@b.c", "ALERT_EMAIL": "a@b.c", missing: ""}

    result = weekly(**settings)

    assert result.exit_code == 3
    assert result.stderr == f"Error: to send it {missing} must be set; --dry-run prints it without\n"


@pytest.mark.parametrize("week", ["2026-W99", "last", "2999-W01"])
def test_a_week_that_is_not_over_or_none_is_refused(week: str) -> None:
    result = weekly(f"--week={week}", "--dry-run")

    assert result.exit_code == 2
    assert "Invalid value for --week" in result.stderr


def test_a_prometheus_that_is_away_or_is_none_is_one_line(prometheus: str) -> None:
    away = weekly("--dry-run", "--prometheus.url=http://127.0.0.1:1")
    other = weekly("--dry-run", f"--prometheus.url={prometheus}/graph")

    assert (away.exit_code, other.exit_code) == (3, 3)
    assert re.fullmatch(r"Error: Prometheus at http://127\.0\.0\.1:1/?: .+\n", away.stderr)
    assert re.fullmatch(r"Error: Prometheus answers 404: .+\n", other.stderr)
