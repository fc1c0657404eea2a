"""The configuration: one frozen struct a section, and the only reader of the file and the environment.

Each field is a key of the YAML file (``section: {key: value}``), a flag ``--section.key`` and an environment
variable ``PUSHGATEWAY_BRIDGE_SECTION_KEY``; flag over environment over file over default.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_type_hints

import msgspec
import yaml

from pushgateway_bridge.errors import StartFailed

ENVIRONMENT_PREFIX: Final = "PUSHGATEWAY_BRIDGE_"

Seconds = Annotated[float, msgspec.Meta(gt=0, le=10 * 365 * 86400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class WebConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bridge listens."""

    listen_address: str = "127.0.0.1:10091"
    """Host and port, such as 127.0.0.1:10091 or [::1]:10091."""
    hot_routes: bool = True
    """Whether ordinary pushes are answered by a shorter way through the server."""


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
    """Who may push."""

    open_protocols: Literal["loopback", "allow"] = "loopback"
    """Where the protocols whose clients cannot send a token are open: on loopback only, or everywhere."""


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


class LogConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged."""


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections."""

    web: WebConfig = WebConfig()
    journal: JournalConfig = JournalConfig()
    access: AccessConfig = AccessConfig()
    prometheus: PrometheusConfig = PrometheusConfig()
    grafana: GrafanaConfig = GrafanaConfig()
    viewer: ViewerConfig = ViewerConfig()
    log: LogConfig = LogConfig()


SECTIONS: Final[Mapping[str, type[Section]]] = get_type_hints(Config)


def setting_names() -> list[str]:
    """Every setting as ``section.key``, in the order of declaration."""
    return [
        f"{section}.{field.name}"
        for section, kind in SECTIONS.items()
        for field in msgspec.structs.fields(kind)
    ]


def environment_name(setting: str) -> str:
    """``web.listen_address`` → ``PUSHGATEWAY_BRIDGE_WEB_LISTEN_ADDRESS``"""
    return ENVIRONMENT_PREFIX + setting.replace(".", "_").upper()


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, str]) -> Config:
    """The configuration from all its sources; *flags* and the file's keys are named ``section.key``.

    Raises StartFailed with a line that names the setting and where it came from.
    """
    values, origins = ({}, {}) if file is None else _read_file(file)
    for setting in setting_names():
        name = environment_name(setting)
        if environment.get(name):
            values[setting], origins[setting] = environment[name], f"environment variable {name}"
        if setting in flags:
            values[setting], origins[setting] = flags[setting], f"flag --{setting.replace('_', '-')}"
    sections = {}
    for section, kind in SECTIONS.items():
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        given = {name: values[f"{section}.{name}"] for name in fields if f"{section}.{name}" in values}
        checked = {
            name: _convert(value, fields[name].type, f"{section}.{name}", origins[f"{section}.{name}"])
            for name, value in given.items()
        }
        sections[section] = kind(**checked)
    return Config(**sections)  # type: ignore[arg-type]


def _convert(value: object, kind: object, setting: str, origin: str) -> object:
    try:
        return msgspec.convert(value, kind, strict=False)
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
            raise StartFailed(_unknown(f"section {section!r}", str(section), SECTIONS, file))
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


def _unknown(what: str, name: str, known: Mapping[str, object] | list[str], file: Path) -> str:
    nearest = difflib.get_close_matches(name, list(known), 1, 0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
    return f"configuration file {file}: unknown {what}: {hint}"


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:10091`` or ``[::1]:10091``; an empty host is every address.

    Raises StartFailed naming web.listen_address.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise StartFailed(f"web.listen_address: expected HOST:PORT, got {address!r}")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - an empty host means it
