"""The configuration: one frozen struct a section, and the only reader of the file and the environment.

Each field is a key of the YAML file (``section: {key: value}``), a flag ``--section.key`` and an environment
variable ``PUSHGATEWAY_BRIDGE_SECTION_KEY``; flag over environment over alias over file over default.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import yaml

from pushgateway_bridge.errors import StartFailed

ENVIRONMENT_PREFIX: Final = "PUSHGATEWAY_BRIDGE_"
DEFAULT_REMOTE: Final = "prometheus"
"""The name of the remote at remote_write.url."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=10 * 365 * 86400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**30)]
Origin = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9+.-]*://[^/?#@\s,A-Z]+$")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class WebConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bridge listens."""

    listen_address: str = "127.0.0.1:10091"
    """Host and port, such as 127.0.0.1:10091 or [::1]:10091."""
    private_listen_address: str = ""
    """A second address, for the Prometheus beside the bridge: without TLS, and reading needs no token there."""
    config_file: str = ""
    """TLS and users, in the format that Prometheus' exporters share."""
    hot_routes: bool = True
    """Whether ordinary pushes are answered by a shorter way through the server."""
    max_connections: Count = 15_000
    """Connections at once; the next ones are answered 503."""
    idle_timeout_seconds: Seconds = 75.0
    """How long a connection stays open without a request."""
    header_timeout_seconds: Seconds = 15.0
    """How long the head of a request may take to come."""
    body_timeout_seconds: Seconds = 60.0
    """How long a whole request may take to come, and how long an answer may wait to be read."""


class JournalConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pushes are kept."""

    directory: str = "data/journal"
    """Folder of the journal; made if it is not there."""
    checkpoint_interval_seconds: Seconds = 60.0
    """Time between checkpoints of the state. A longer one makes a restart slower; it loses nothing."""
    max_bytes: Annotated[int, msgspec.Meta(ge=16 * 1024**2, le=2**62)] = 2 * 1024**3
    """Room for records. Over a quarter of it the state is checkpointed at once; over all of it the oldest go that
    a remote still wants."""
    max_age_seconds: Seconds = 7 * 86400.0
    """How long records are kept for a remote that does not take them."""
    recent_entries: Count = 1000
    """Entries a dialect keeps for the reads that its clients know."""
    recent_age_seconds: Seconds = 86400.0
    """How long such an entry is shown at most."""


class AccessConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may push, read and administer."""

    open_protocols: Literal["loopback", "allow", "token"] = "loopback"
    """Where the protocols whose clients cannot send a token are open: on loopback only, everywhere, or nowhere."""
    read: Literal["open", "token"] = "open"
    """Whether reading (/metrics, /dashboard, entries, queries) needs a token, or a user of web.config_file."""
    directory: str = ""
    """Folder of the tokens; made if it is not there. Empty: the folder access in journal.directory."""
    session_seconds: Seconds = 12 * 3600.0
    """How long the dashboard page stays logged in."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    cors_origins: tuple[Origin, ...] = ()
    """Where pages come from that may ask what StatusMonitor's services answer, such as https://status.example."""


class DialectsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is spoken."""

    disabled: tuple[str, ...] = ()
    """Dialects whose paths are not served."""


class LimitsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one push, one source and all together may bring."""

    body_bytes: dict[str, Bytes] = {}
    """Dialect → how long a body may be, where that shall not be what its clients expect."""
    inflated_bytes: Bytes = 32 * 1024**2
    """How long a compressed body of samples, pushgateway or a mapping may be when it is inflated."""
    max_items: Count = 10_000
    """Items of one push."""
    max_nesting: Annotated[int, msgspec.Meta(ge=1, le=64)] = 32
    """How deep the JSON of a push may be nested."""
    rates: dict[str, str] = {}
    """Dialect → how often a client may push, such as 600/m, or unlimited. Unless named here it is 2000/h for
    minigem, 60/m for proxmoxve, and unlimited for all others."""
    max_series: Count = 1_000_000
    """Series over all sources."""
    new_series_per_minute: Count = 5_000
    """New series that one source may bring within a minute."""
    paced_pushes_per_second: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 5_000.0
    """From which rate on one source waits for its answers while others push too; 0: it never does."""
    max_labels: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 40
    """Labels of a series, job and instance among them."""
    max_label_value_bytes: Annotated[int, msgspec.Meta(ge=16, le=65_536)] = 1024


class MappingsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any JSON becomes."""

    directory: str = ""
    """Folder of the mappings, each in a NAME.yml or NAME.yaml; empty: there are none."""


class MinigemConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the reads of minigem's clients answer."""

    stats_window_days: Annotated[int, msgspec.Meta(ge=1, le=35)] = 7
    """Days that /stats covers unless it is asked for others; counts by the hour are kept for 35."""
    stats_secret_file: str = ""
    """File with what must come with /debug/recent and /debug/counts; empty: nobody may read them."""


class GeoConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where clients are, as countries, for the dialects that count that."""

    database: str = ""
    """A file in MaxMind's format (.mmdb) with countries or cities. Headers of access.trusted_proxies come first."""


class PrometheusConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Prometheus that the dashboard page reads."""

    url: str = "http://127.0.0.1:9090"
    """Its base address."""


class GrafanaConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Grafana that the dashboard page links to."""

    url: str = ""
    """Its base address as a browser sees it; empty if there is none."""


class ViewerConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page at /dashboard."""

    dashboards_directory: str = "grafana/dashboards"
    """Folder of the dashboards, as JSON files."""


class AlertsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The history of alerts, which Alertmanager tells the bridge."""

    webhook_token_hash_file: str = ""
    """File with the SHA-256 of the token that Alertmanager sends, as render-config writes it beside the token. Empty:
    it sends one of the bridge's own tokens."""
    history_max_entries: Count = 100_000
    """Alerts that are kept; over it the oldest go."""
    history_max_age_days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] = 400.0
    """How long an alert is kept after its end."""
    reconcile_interval_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    """Time between two comparisons with what fires in Prometheus; 0: never. A silenced or inhibited alert is closed
    by that alone, as nobody is told of its end."""
    reconcile_after_seconds: Seconds = 300.0
    """How long an alert must have fired before such a comparison may close it."""


class ReportsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent by mail, with the settings that alerts are mailed with (SMTP_HOST, ALERT_EMAIL …)."""

    weekly: bool = True
    """Whether the week's installations are told on Monday. Needs the mail's settings; a week is left out if neither it
    nor the one before has data."""
    weekly_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 6
    """Hour of Monday in UTC."""
    env_file: str = ""
    """File with NAME=value lines for the mail's settings that are not in the environment."""


class LogConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged."""


class RemoteTlsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a remote is known, and how the bridge shows who it is."""

    ca_file: str = ""
    """Certificates to trust instead of the system's."""
    cert_file: str = ""
    """The bridge's own certificate, where the remote asks for one."""
    key_file: str = ""
    """Its key."""
    server_name: str = ""
    """The name that its certificate must have, if not the one in the URL."""
    insecure_skip_verify: bool = False
    """Believe any certificate. For tests only."""


class RemoteConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One remote write endpoint."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Tells it from others in metrics and in the journal; under a new name it starts from now."""
    url: str
    """Its whole address, such as https://prometheus.example/api/v1/write."""
    timeout_seconds: Seconds = 30.0
    """How long a request may take."""
    max_samples_per_request: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 5000
    """How many samples go together."""
    late_samples: bool = True
    """Whether it takes samples older than its newest ones. With false all is sent in the order it came in: after an
    outage the present waits until the past was sent."""
    max_pending_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    """What is kept for this remote at most; 0: as much as journal.max_bytes lets."""
    max_pending_age_seconds: Annotated[float, msgspec.Meta(ge=0, le=10 * 365 * 86400)] = 0.0
    """How long it is kept at most; 0: as long as journal.max_age_seconds lets."""
    username: str = ""
    """For basic authentication."""
    password_file: str = ""
    """File with the password of username."""
    bearer_token_file: str = ""
    """File with a bearer token."""
    headers: dict[str, str] = {}
    """Further headers of each request."""
    header_files: dict[str, str] = {}
    """Headers whose values are secrets: name → file."""
    tls: RemoteTlsConfig = RemoteTlsConfig()


class RemoteWriteConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where samples go with delivery: remote_write."""

    url: str = ""
    """A remote that needs nothing but an address. Without it and without remotes it is prometheus.url's own."""
    external_labels: dict[str, str] = {}
    """Labels for every sample that is sent and does not have them, such as replica."""
    remotes: tuple[RemoteConfig, ...] = ()
    """Remotes that need more."""


Delivery = Literal["scrape", "remote_write"]


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections."""

    web: WebConfig = WebConfig()
    journal: JournalConfig = JournalConfig()
    delivery: Delivery = "scrape"
    """Who carries point samples to Prometheus: its scrape, the newest of each series; or the bridge by remote write,
    every one with its own time."""
    remote_write: RemoteWriteConfig = RemoteWriteConfig()
    access: AccessConfig = AccessConfig()
    dialects: DialectsConfig = DialectsConfig()
    limits: LimitsConfig = LimitsConfig()
    mappings: MappingsConfig = MappingsConfig()
    minigem: MinigemConfig = MinigemConfig()
    geo: GeoConfig = GeoConfig()
    prometheus: PrometheusConfig = PrometheusConfig()
    grafana: GrafanaConfig = GrafanaConfig()
    viewer: ViewerConfig = ViewerConfig()
    alerts: AlertsConfig = AlertsConfig()
    reports: ReportsConfig = ReportsConfig()
    log: LogConfig = LogConfig()


SECTIONS: Final[Mapping[str, type[Section]]] = {
    name: kind
    for name, kind in get_type_hints(Config).items()
    if isinstance(kind, type) and issubclass(kind, Section)
}
_FIELDS: Final[Mapping[str, msgspec.structs.FieldInfo]] = {
    name: field
    for top in msgspec.structs.fields(Config)
    for name, field in (
        [(f"{top.name}.{field.name}", field) for field in msgspec.structs.fields(SECTIONS[top.name])]
        if top.name in SECTIONS
        else [(top.name, top)]
    )
}


def setting_names() -> list[str]:
    """Every setting as ``section.key``, or ``key`` if it is in no section, in the order of declaration."""
    return list(_FIELDS)


def setting_default(setting: str) -> object:
    """What it is unless somebody sets it."""
    field = _FIELDS[setting]
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def setting_value(config: Config, setting: str) -> object:
    """What *setting* is in *config*."""
    section, _, key = setting.rpartition(".")
    return getattr(getattr(config, section) if section else config, key)


def environment_name(setting: str) -> str:
    """``web.listen_address`` → ``PUSHGATEWAY_BRIDGE_WEB_LISTEN_ADDRESS``"""
    return ENVIRONMENT_PREFIX + setting.replace(".", "_").upper()


class Alias(NamedTuple):
    """A name that other systems' settings have, for one of ours."""

    setting: str
    value: Callable[[str], str]
    """From its text to ours. Raises ValueError that says what was expected."""
    meaning: str
    secret: bool = False
    """Whether it holds what the setting's file holds, so that it is read where that is."""


def _port(text: str) -> str:
    if not text.isdecimal() or not text.isascii() or int(text) > 65535:
        raise ValueError("expected a port from 0 to 65535")
    return f"0.0.0.0:{int(text)}"


def _rate_of(dialect: str, unit: str) -> Callable[[str], str]:
    """What makes a number of pushes into an entry of limits.rates."""

    def rate(text: str) -> str:
        if not text.isdecimal() or not text.isascii():
            raise ValueError("expected a number of pushes")
        return f"{{{dialect}: {int(text)}/{unit}}}" if int(text) else f"{{{dialect}: unlimited}}"

    return rate


def _listed(text: str) -> str:
    """What stands between commas, as a list."""
    return json.dumps([part.strip() for part in text.split(",") if part.strip()])


ALIASES: Final[Mapping[str, Alias]] = {
    "CORS_ORIGINS": Alias("access.cors_origins", _listed, "origins of pages, with commas between them"),
    "RATE_LIMIT": Alias(
        "limits.rates",
        _rate_of("proxmoxve", "m"),
        "pushes that a client of the proxmoxve dialect may send a minute",
    ),
    "RATE_LIMIT_MAX": Alias(
        "limits.rates",
        _rate_of("minigem", "h"),
        "pushes that a client of the minigem dialect may send an hour",
    ),
    "STATS_WINDOW_DAYS": Alias("minigem.stats_window_days", str, "days that minigem's /stats covers"),
    "STATS_SECRET": Alias(
        "minigem.stats_secret_file", str, "the secret itself instead of a file", secret=True
    ),
    "GEO_MMDB": Alias("geo.database", str, "a database of countries in MaxMind's format"),
    "GEO_DB": Alias("geo.database", str, "the same"),
    "PORT": Alias("web.listen_address", _port, "listen on every address, as hosting platforms expect"),
}
"""By the name of the environment variable. Our own variable, and a flag, win over it."""


def aliases_used(environment: Mapping[str, str], flags: Mapping[str, str]) -> list[str]:
    """The names of ALIASES that take effect."""
    return [
        name
        for name, alias in ALIASES.items()
        if environment.get(name)
        and not environment.get(environment_name(alias.setting))
        and alias.setting not in flags
    ]


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, str]) -> Config:
    """The configuration from all its sources; *flags* and the file's keys are named ``section.key``.

    Raises StartFailed with a line that names the setting and where it came from.
    """
    values, origins = ({}, {}) if file is None else _read_file(file)
    for name in aliases_used(environment, flags):
        alias, text = ALIASES[name], environment[name]
        if alias.secret:
            continue
        try:
            given = alias.value(text)
            if isinstance(before := values.get(alias.setting), dict):
                values[alias.setting] = {**before, **yaml.safe_load(given)}
            elif get_origin(_FIELDS[alias.setting].type) is dict:
                values[alias.setting] = yaml.safe_load(given)
            else:
                values[alias.setting] = given
        except ValueError as error:
            raise StartFailed(f"environment variable {name}: {error}, got {text!r}") from error
        origins[alias.setting] = f"environment variable {name}"
    for setting in setting_names():
        name = environment_name(setting)
        if environment.get(name):
            values[setting], origins[setting] = environment[name], f"environment variable {name}"
        if setting in flags:
            values[setting], origins[setting] = flags[setting], f"flag --{setting.replace('_', '-')}"
    checked: dict[str, object] = {}
    sections: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
    for setting, value in values.items():
        converted = _convert(value, _FIELDS[setting].type, setting, origins[setting])
        section, _, key = setting.rpartition(".")
        (sections[section] if section else checked)[key] = converted
    config = Config(**checked, **{name: kind(**sections[name]) for name, kind in SECTIONS.items()})  # type: ignore[arg-type]
    _check_remotes(config)
    return config


def stats_secret(config: Config, environment: Mapping[str, str]) -> str:
    """What must come with minigem's /debug reads; empty: they are closed. Raises StartFailed."""
    file = config.minigem.stats_secret_file
    if not file:
        return environment.get("STATS_SECRET", "")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise StartFailed(f"minigem.stats_secret_file {file}: {what}") from error


def access_directory(config: Config) -> Path:
    """The folder of the tokens."""
    return Path(config.access.directory or Path(config.journal.directory) / "access")


def remotes_of(config: Config) -> list[RemoteConfig]:
    """Where point samples are sent to; none with delivery: scrape."""
    if config.delivery == "scrape":
        return []
    remotes = list(config.remote_write.remotes)
    if config.remote_write.url or not remotes:
        url = config.remote_write.url or f"{config.prometheus.url.rstrip('/')}/api/v1/write"
        remotes.insert(0, RemoteConfig(name=DEFAULT_REMOTE, url=url))
    return remotes


def _check_remotes(config: Config) -> None:
    """Raises StartFailed if two settings of remotes contradict each other, or one makes no sense."""
    labels = config.remote_write.external_labels
    if wrong := [name for name in labels if not re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", name)]:
        raise StartFailed(f"remote_write.external_labels: {wrong[0]!r} is no label name")
    names: set[str] = set()
    for remote in remotes_of(config):
        setting = f"remote_write.remotes {remote.name!r}"
        if remote.name in names:
            raise StartFailed(
                f"{setting}: two remotes have this name; remote_write.url is {DEFAULT_REMOTE!r}"
            )
        names.add(remote.name)
        if not re.match(r"https?://[^/]", remote.url):
            what = "remote_write.url" if remote.name == DEFAULT_REMOTE else f"{setting}: url"
            raise StartFailed(f"{what}: expected http://… or https://…, got {remote.url!r}")
        if "@" in remote.url.split("/")[2]:
            raise StartFailed(
                f"{setting}: user and password do not belong in the url: use username and password_file"
            )
        if remote.username and remote.bearer_token_file:
            raise StartFailed(f"{setting}: username and bearer_token_file exclude each other")
        if remote.password_file and not remote.username:
            raise StartFailed(f"{setting}: password_file needs a username")
        if bool(remote.tls.cert_file) != bool(remote.tls.key_file):
            raise StartFailed(f"{setting}: tls.cert_file and tls.key_file belong together")
        for key, file in _files_of(remote).items():
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise StartFailed(f"{setting}: {key} {file}: {error.strerror}") from error


def _files_of(remote: RemoteConfig) -> dict[str, str]:
    """Files that *remote* needs, by the key that names them."""
    files = {
        "password_file": remote.password_file,
        "bearer_token_file": remote.bearer_token_file,
        "tls.ca_file": remote.tls.ca_file,
        "tls.cert_file": remote.tls.cert_file,
        "tls.key_file": remote.tls.key_file,
        **{f"header_files {name}": file for name, file in remote.header_files.items()},
    }
    return {key: file for key, file in files.items() if file}


def _convert(value: object, kind: object, setting: str, origin: str) -> object:
    try:
        if isinstance(value, str) and get_origin(kind) in (dict, tuple):
            value = yaml.safe_load(value)  # a flag or variable for what is more than a word in the file
        return msgspec.convert(value, kind, strict=False)
    except yaml.YAMLError as error:
        raise StartFailed(f"{setting}: no YAML: {' '.join(str(error).split())}, from the {origin}") from error
    except msgspec.ValidationError as error:
        choices = get_args(kind)
        hint = f" (one of {', '.join(map(str, choices))})" if choices and isinstance(choices[0], str) else ""
        raise StartFailed(f"{setting}: {error}, got {value!r}{hint}, from the {origin}") from error


def _read_file(file: Path) -> tuple[dict[str, object], dict[str, str]]:
    """The file's settings as ``section.key`` → value, and where each stands."""
    try:
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise StartFailed(f"configuration file {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StartFailed(f"configuration file {file} is no YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return {}, {}
    if not isinstance(document, dict):
        raise StartFailed(f"configuration file {file}: expected sections, got {type(document).__name__}")
    values: dict[str, object] = {}
    for section, keys in document.items():
        if section not in SECTIONS:
            if section not in _FIELDS or "." in section:
                known = [*SECTIONS, *(name for name in _FIELDS if "." not in name)]
                raise StartFailed(_unknown(f"section {section!r}", str(section), known, file))
            values[section] = keys
            continue
        if keys is None:
            continue  # all of its keys are commented out
        if not isinstance(keys, dict):
            raise StartFailed(f"configuration file {file}: section {section!r} must hold keys and values")
        known = [field.name for field in msgspec.structs.fields(SECTIONS[section])]
        for key, value in keys.items():
            if key not in known:
                raise StartFailed(_unknown(f"key {section}.{key}", str(key), known, file))
            values[f"{section}.{key}"] = value
    return values, dict.fromkeys(values, f"configuration file {file}")


def _unknown(what: str, name: str, known: list[str], file: Path) -> str:
    nearest = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
    return f"configuration file {file}: unknown {what}: {hint}"


def split_address(address: str, setting: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:10091`` or ``[::1]:10091``; an empty host is every address.

    Raises StartFailed naming *setting*.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise StartFailed(f"{setting}: expected HOST:PORT, got {address!r}")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - an empty host means it
