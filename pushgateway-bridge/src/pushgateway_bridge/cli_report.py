"""``pushgateway-bridge report``: what is sent by itself every week, now or only to look at."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx2

from pushgateway_bridge.config import load
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.mail import MailFailed, MailSettings, mail_settings, missing_settings
from pushgateway_bridge.render_config import Lookup, settings_lookup
from pushgateway_bridge.reports.figures import Figures, gather
from pushgateway_bridge.reports.message import render_html, render_text, subject
from pushgateway_bridge.reports.prometheus import NoAnswer, asking
from pushgateway_bridge.reports.schedule import send_report
from pushgateway_bridge.reports.week import Week, last_week, parse_week


class ReportFailed(click.ClickException):
    """What was asked could not be done."""

    exit_code = 3


@click.group()
def report() -> None:
    """Reports that are sent by mail."""


@report.command("weekly")
@click.option("--week", "named", metavar="YEAR-Www", help="Such as 2026-W47; without it the last one.")
@click.option("--dry-run", is_flag=True, help="Print it and send nothing.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html"]),
    default="text",
    show_default=True,
    help="How to print it; a mail has both.",
)
@click.option(
    "--prometheus.url",
    "url",
    metavar="URL",
    help="Without it http:// and PROMETHEUS_ADDRESS, else as for serve.",
)
@click.option(
    "--env.file", "env_file", type=click.Path(path_type=Path), help="NAME=value lines, if it is there."
)
@click.option(
    "--config.file", "config_file", type=click.Path(path_type=Path), help="YAML file with the settings."
)
def weekly_command(
    named: str | None,
    dry_run: bool,
    form: str,
    url: str | None,
    env_file: Path | None,
    config_file: Path | None,
) -> None:
    """Send the report about a week's installations now, to ALERT_EMAIL through SMTP_HOST.

    A week is from Monday 00:00 to Monday 00:00 UTC. The mail settings are those of alerts. Exit code 3 if Prometheus
    does not answer or the mail is not taken.
    """
    week = chosen_week(named, datetime.now(UTC))
    try:
        lookup = settings_lookup(os.environ, env_file)
        settings = None if dry_run else wanted_settings(lookup)
        figures = asyncio.run(figures_of(week, url or default_url(lookup, config_file)))
        if settings is not None:
            send_report(settings, figures)
    except (StartFailed, NoAnswer, MailFailed) as error:
        raise ReportFailed(str(error)) from error
    if settings is not None:
        click.echo(f"the report of week {week} was sent to {settings.recipients}")
    elif form == "html":
        click.echo(render_html(figures), nl=False)
    else:
        click.echo(f"Subject: {subject(figures)}\n\n{render_text(figures)}", nl=False)


def chosen_week(named: str | None, now: datetime) -> Week:
    """The week that was asked for. Raises BadParameter if there is none, or it is not over."""
    if named is None:
        return last_week(now)
    try:
        week = parse_week(named)
        if week.end > now:
            raise ValueError(f"week {week} is not over before {week.end:%Y-%m-%d} 00:00 UTC")
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--week") from error
    return week


def wanted_settings(lookup: Lookup) -> MailSettings:
    """How to send. Raises ReportFailed if something is not set, StartFailed if it is wrong."""
    settings = mail_settings(lookup)
    if settings is None:
        raise ReportFailed(
            f"to send it {', '.join(missing_settings(lookup))} must be set; --dry-run prints it without"
        )
    return settings


def default_url(lookup: Lookup, config_file: Path | None) -> str:
    """Where Prometheus is."""
    address = lookup("PROMETHEUS_ADDRESS")
    return f"http://{address}" if address else load(config_file, os.environ, {}).prometheus.url


async def figures_of(week: Week, url: str) -> Figures:
    """The figures of *week* from the Prometheus at *url*. Raises NoAnswer."""
    try:
        client = httpx2.AsyncClient(base_url=url.rstrip("/"), trust_env=False)
    except (httpx2.InvalidURL, ValueError) as error:
        raise NoAnswer(f"Prometheus at {url}: {error}") from error
    async with client:
        return await gather(week, asking(client))
