"""The command line: flags → Config; exit codes.

0 done, 1 the disk failed while serving, 2 wrong usage, 3 a part could not start.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from pushgateway_bridge import config_check, config_reference, logs, render_config
from pushgateway_bridge.access.shared_token import provide_token
from pushgateway_bridge.cli_alert import alert
from pushgateway_bridge.cli_journal import journal
from pushgateway_bridge.cli_mapping import explain_command, suggest_command
from pushgateway_bridge.cli_report import report
from pushgateway_bridge.cli_token import token
from pushgateway_bridge.config import (
    ALIASES,
    Config,
    aliases_used,
    environment_name,
    load,
    setting_default,
    setting_names,
)
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.plugins import with_plugins

logger = logging.getLogger(__name__)

START_FAILED: Final = 3
CONTEXT_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


MAIN_HELP: Final = """
Turns the JSON that agents and applications POST into Prometheus metrics, on disk before it answers.

\b
Try it:
  pushgateway-bridge serve --journal.directory /tmp/journal
  curl -X POST localhost:10091/api/telemetry -H 'Content-Type: application/json' \\
    -d '{"name":"my-server","cpuC":8,"cpuL":63}'
  curl localhost:10091/metrics
"""


@click.group(context_settings=CONTEXT_SETTINGS, help=MAIN_HELP)
@click.version_option(package_name="pushgateway-bridge")
def main() -> None:
    """The commands."""


main.add_command(alert)
main.add_command(journal)
main.add_command(report)
main.add_command(token)
main.add_command(explain_command)
main.add_command(suggest_command)


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """A flag for each setting, named ``--section.key``."""
    for setting in reversed(setting_names()):
        option = click.option(
            f"--{setting.replace('_', '-')}",
            *OTHER_FLAGS.get(setting, ()),
            setting.replace(".", "__"),
            metavar="VALUE",
            help=f"{HELP[setting]} [env {environment_name(setting)}; default {setting_default(setting)!r}]",
        )
        command = option(command)
    return command


OTHER_FLAGS: Final = {"web.config_file": ("--web.config.file",)}
"""Flags that other programs of the field have for the same."""

HELP: Final = {
    "web.listen_address": "Host and port to listen on.",
    "web.private_listen_address": "A second address, for the Prometheus beside the bridge: without TLS, and reading is "
    "open there.",
    "web.config_file": "YAML file with TLS and users, in the format of Prometheus' exporters.",
    "web.hot_routes": "Answer ordinary pushes by a shorter way; false rules it out when you look for a fault.",
    "web.max_connections": "Connections at once; the next ones are answered 503.",
    "web.idle_timeout_seconds": "How long a connection stays open without a request.",
    "web.header_timeout_seconds": "How long the head of a request may take to come.",
    "web.body_timeout_seconds": "How long a whole request may take to come, and an answer may wait to be read.",
    "journal.directory": "Folder of the journal; made if it is not there.",
    "journal.checkpoint_interval_seconds": "Time between checkpoints of the state.",
    "journal.max_bytes": "Room for records; over it the oldest go, even if a remote still wants them.",
    "journal.max_age_seconds": "How long records are kept for a remote that does not take them.",
    "journal.recent_entries": "Entries a dialect keeps for the reads that its clients know.",
    "journal.recent_age_seconds": "How long such an entry is shown at most.",
    "delivery": "Who carries point samples to Prometheus: scrape, or remote_write with their own times.",
    "remote_write.url": "Where to, if it needs nothing but an address; else prometheus.url's /api/v1/write.",
    "remote_write.external_labels": "Labels for every sample that is sent, such as {replica: a}.",
    "remote_write.remotes": "Remotes that need more than an address: a list, best in the file.",
    "access.open_protocols": "Protocols whose clients cannot send a token: loopback (open there only), allow "
    "(everywhere), token (they need one all the same).",
    "access.read": "open, or token: reading needs a token or a user of web.config_file.",
    "access.directory": "Folder of the tokens; empty: the folder access in journal.directory.",
    "access.session_seconds": "How long the dashboard page stays logged in.",
    "access.trusted_proxies": "Proxies whose X-Forwarded-For is believed: a list such as [10.0.0.0/8].",
    "access.cors_origins": "Origins of pages that may ask what StatusMonitor answers: [https://status.example].",
    "dialects.disabled": "Dialects whose paths are not served: a list such as [statix].",
    "limits.body_bytes": "Longest body by dialect, where it shall not be its own limit: {pixeltracker: 65536}.",
    "limits.inflated_bytes": "Longest compressed body when it is inflated, where its dialect takes more than a body.",
    "limits.max_items": "Items of one push: samples, or lines of a Pushgateway body.",
    "limits.max_nesting": "How deep the JSON of a push may be nested.",
    "limits.rates": "How often a client may push, by dialect: {pixeltracker: 600/m}, or unlimited.",
    "limits.max_series": "Series over all sources; what would bring more is refused.",
    "limits.new_series_per_minute": "New series that one source may bring within a minute.",
    "limits.paced_pushes_per_second": "Over this rate one source waits for its answers while others push; 0: never.",
    "limits.max_labels": "Labels of a series, job and instance among them.",
    "limits.max_label_value_bytes": "Longest value of a label.",
    "mappings.directory": "Folder of the mappings that say what any JSON becomes: each in a NAME.yml or NAME.yaml.",
    "minigem.stats_window_days": "Days that minigem's /stats covers unless it is asked for others.",
    "minigem.stats_secret_file": "File with what minigem's /debug reads ask for; without it nobody may read them.",
    "geo.database": "Countries of clients: a file in MaxMind's format (.mmdb).",
    "prometheus.url": "Prometheus, for the dashboard page.",
    "grafana.url": "Grafana as a browser sees it, for the dashboard page's link.",
    "viewer.dashboards_directory": "Folder of the dashboards, as JSON files.",
    "alerts.webhook_token_hash_file": "File with the SHA-256 of the token by which Alertmanager tells of alerts.",
    "alerts.history_max_entries": "Alerts that the history keeps; over it the oldest go.",
    "alerts.history_max_age_days": "How long the history keeps an alert after its end.",
    "alerts.reconcile_interval_seconds": "Time between comparisons of the history with Prometheus; 0: never.",
    "alerts.reconcile_after_seconds": "How long an alert must have fired before a comparison may close it.",
    "reports.weekly": "Mail the weekly report about installations, once SMTP_HOST, SMTP_PORT, SMTP_FROM and "
    "ALERT_EMAIL are set.",
    "reports.weekly_hour": "Hour of Monday, in UTC, from which on it is sent.",
    "reports.env_file": "File with the mail's settings as NAME=value lines, where they are not in the environment.",
    "log.level": "debug, info, warning or error.",
}


def configuration_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--config.file`` and a flag for each setting."""
    option = click.option(
        "--config.file", "config_file", type=click.Path(path_type=Path), help="YAML file with the settings."
    )
    return option(setting_options(command))


def given_flags(flags: Mapping[str, Any]) -> dict[str, str]:
    """The flags that were set, by setting."""
    return {name.replace("__", "."): value for name, value in flags.items() if value is not None}


@main.command()
@configuration_options
def serve(config_file: Path | None, **flags: Any) -> None:
    """Take pushes and show them on /metrics."""
    given = given_flags(flags)
    try:
        config = load(config_file, os.environ, given)
        configure_logging(config)
        for name in aliases_used(os.environ, given):
            logger.info("alias name=%s setting=%s", name, ALIASES[name].setting)
        dialects = with_plugins(DIALECTS, config.dialects.disabled)
        from pushgateway_bridge import app  # noqa: PLC0415 - half a second, which no other command needs

        code = app.serve(config, dialects, read_config=lambda: load(config_file, os.environ, given))
    except StartFailed as error:
        raise failure(error) from error
    raise SystemExit(code)


@main.command("check-config")
@configuration_options
def check_config(config_file: Path | None, **flags: Any) -> None:
    """Say what a bridge with these settings would do, and what is wrong with them. Changes nothing.

    Exit code 0 if it would start, 3 if not.
    """
    given = given_flags(flags)
    try:
        config = load(config_file, os.environ, given)
    except StartFailed as error:
        raise failure(error) from error
    for name in aliases_used(os.environ, given):
        click.echo(f"alias: {name} is {ALIASES[name].setting}")
    problems = 0
    for finding in config_check.check(config, DIALECTS):
        click.echo(f"error: {finding.text}" if finding.problem else finding.text, err=finding.problem)
        problems += finding.problem
    if problems:
        raise SystemExit(START_FAILED)
    click.echo("the configuration is right")


@main.command("config-reference", hidden=True)
def config_reference_command() -> None:
    """Print docs/configuration.md."""
    click.echo(config_reference.page(HELP), nl=False)


@main.command("render-config")
@click.option(
    "--template", type=click.Path(path_type=Path), required=True, help="YAML with ${NAME} placeholders."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--env.file", "env_file", type=click.Path(path_type=Path), help="NAME=value lines, if it is there."
)
@click.option(
    "--mode", default="0600", show_default=True, help="Permissions of the file, as it may hold secrets."
)
def render_config_command(template: Path, output: Path, env_file: Path | None, mode: str) -> None:
    """Fill a configuration template from the environment, an env file, and NAME_FILE secrets.

    A list entry that needs a setting which is not there is left out. Where ALERT_HISTORY_TOKEN_FILE names no file yet,
    it gets a token, and the file beside it (.sha256) the hash that the bridge is given.
    """
    try:
        permissions = int(mode, 8)
    except ValueError as error:
        raise click.BadParameter(
            f"expected an octal number such as 0600, got {mode!r}", param_hint="--mode"
        ) from error
    logs.configure("info")
    try:
        document = render_config.read_text(template, f"--template {template}")
        lookup = render_config.settings_lookup(os.environ, env_file)
        if token_file := lookup("ALERT_HISTORY_TOKEN_FILE"):
            provide_token(Path(token_file))
        text = render_config.render(document, lookup)
        render_config.write_atomically(output, text, permissions)
    except StartFailed as error:
        raise failure(error) from error
    except OSError as error:
        raise failure(StartFailed(f"{error.filename}: {error.strerror}")) from error


def configure_logging(config: Config) -> None:
    """One line an event on standard error."""
    logs.configure(config.log.level)
    # uvicorn warns of each request that is no HTTP: anybody could fill the log with that.
    logging.getLogger("uvicorn").setLevel("DEBUG" if config.log.level == "debug" else "ERROR")
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


class StartFailure(click.ClickException):
    """A part could not start."""

    exit_code = START_FAILED


def failure(error: StartFailed) -> click.ClickException:
    """One line on standard error and exit code 3."""
    return StartFailure(str(error))
