"""What ``check-config`` looks at: all that would keep a bridge from starting, but for what others hold just now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.config import Config, access_directory, remotes_of, split_address, stats_secret
from pushgateway_bridge.config_rules import check_access, listen_addresses
from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.mappings.load import load_mappings
from pushgateway_bridge.mappings.problems import MappingsInvalid
from pushgateway_bridge.plugins import plugins_of, with_plugins
from pushgateway_bridge.reports.mailing import mail_of
from pushgateway_bridge.web.geo import Countries
from pushgateway_bridge.web.rate import ClientAddresses
from telemetry_web_config import config as web_config
from telemetry_web_config.errors import WebConfigError


class Finding(NamedTuple):
    """*problem* is set if the bridge would not start."""

    text: str
    problem: bool = False


def check(config: Config, dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    """What a bridge with *config* would do, and what would keep it from that. *dialects*: without plugins."""
    try:
        dialects = with_plugins(dialects, config.dialects.disabled)
        for plugin in plugins_of(dialects):
            yield Finding(f"plugin: {plugin.origin}{' is disabled' if plugin.left_out else ''}")
    except StartFailed as error:
        yield Finding(str(error), problem=True)
    for look in (_listening, _web_config, _tokens, _delivery, _mappings, _secrets, _files):
        try:
            yield from look(config, dialects)
        except StartFailed as error:
            yield Finding(str(error), problem=True)


def _listening(config: Config, dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    for setting, address in listen_addresses(config).items():
        split_address(address, setting)
        yield Finding(f"{setting}: listens on {address}")
    check_access(config, dialects)
    yield Finding(f"access: open protocols {config.access.open_protocols}, reading {config.access.read}")


def _web_config(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    file = config.web.config_file
    if not file:
        return
    try:
        found = web_config.load(Path(file))
        found.ssl_context()
    except WebConfigError as error:
        raise StartFailed(f"web.config_file: {error}") from error
    scheme = "plain HTTP" if found.tls is None else "TLS"
    yield Finding(f"web.config_file: {scheme}, {len(found.users)} users")
    for warning in found.warnings(datetime.now(UTC)):
        yield Finding(f"warning: {warning}")


def _tokens(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    directory = access_directory(config)
    tokens = Tokens(directory, lambda: 0)
    tokens.load()
    yield Finding(f"access.directory: {len(tokens)} tokens in {directory}")


def _delivery(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    yield Finding(f"delivery: {config.delivery}")
    for remote in remotes_of(config):
        yield Finding(f"remote_write: {remote.name} at {remote.url}")


def _mappings(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    directory = config.mappings.directory
    if not directory:
        return
    try:
        found = load_mappings(Path(directory))
    except MappingsInvalid as error:
        for one in error.problems:
            yield Finding(f"mappings.directory {directory}: {one}", problem=not one.warning)
        return
    yield Finding(f"mappings.directory: {len(found.by_name)} mappings in {directory}")
    for warning in found.warnings:
        yield Finding(f"mappings.directory {directory}: {warning}")


def _secrets(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    stats_secret(config, os.environ)
    if (mail := mail_of(config)) is not None:
        yield Finding(f"reports.weekly: to {mail.recipients} by {mail.host}:{mail.port}")
    if config.geo.database:
        Countries(ClientAddresses(()), config.geo.database)
        yield Finding(f"geo.database: {config.geo.database}")


def _files(config: Config, _dialects: Mapping[str, Dialect]) -> Iterator[Finding]:
    directory = Path(config.viewer.dashboards_directory)
    if not directory.is_dir():
        yield Finding(
            f"warning: viewer.dashboards_directory {directory} is not there: /dashboard shows nothing"
        )
