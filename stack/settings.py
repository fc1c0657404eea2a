"""What a user may set, from the environment and `.env`; the only reader of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import yaml

from stack.errors import StackError

Value = TypeVar("Value")

CHECKOUT = Path(__file__).resolve().parent.parent
MODES = ("docker", "native")
PARTS = ("exporter", "bridge", "prometheus", "alertmanager", "grafana")
"""Every part, in the order in which they are shown. ``<PART>_ADDRESS`` is the setting of its address."""

DEFAULT_PORTS = {
    "exporter": 10100,
    "bridge": 10091,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}
BRIDGE_WEB_CONFIG = "PUSHGATEWAY_BRIDGE_WEB_CONFIG_FILE"
BRIDGE_PRIVATE_ADDRESS = "PUSHGATEWAY_BRIDGE_WEB_PRIVATE_LISTEN_ADDRESS"
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on

_DURATION = re.compile(r"(?:\d+(?:ms|[ywdhms]))+")
_SIZE = re.compile(r"0|\d+(?:B|KB|MB|GB|TB|PB|EB)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# supervisor's configuration takes what follows as a comment, and has no way to quote it.
_UNUSABLE_PATH = re.compile(r"\s[;#]|[\r\n]")


class Address(NamedTuple):
    """Where a part listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def reachable(self) -> Address:
        """The address to connect to: a wildcard is listened on, never connected to."""
        return Address(WILDCARDS.get(self.host, self.host), self.port)

    def url(self, scheme: str = "http") -> str:
        """The address as a link, without a slash at the end."""
        return f"{scheme}://{self.reachable()}"


class Settings(NamedTuple):
    """Everything `make up` and its sisters depend on."""

    checkout: Path
    directory: Path
    """STACK_DIR: data, logs and configuration of the running stack."""
    mode: str | None
    """STACK_MODE; None chooses Docker where it runs, else native."""
    addresses: Mapping[str, Address]
    """By part."""
    retention: str
    retention_size: str
    env_file: Path | None
    """The `.env` that was read; None if there is none."""
    env_values: Mapping[str, str]
    """What it says, secrets among it."""
    environment: Mapping[str, str]
    """What the command was started with."""

    def value(self, name: str, default: str) -> str:
        """The variable *name* from the environment, else `.env`, else *default*."""
        return {**self.env_values, **self.environment}.get(name, "").strip() or default

    def public_url(self, part: str) -> str:
        """Where a person reaches *part*, without a slash at the end: by TLS, if it is a bridge that speaks it."""
        address = self.addresses[part]
        file = self.value(BRIDGE_WEB_CONFIG, "")
        encrypted = part == "bridge" and file and _has_tls(self.directory / file)
        return address.url("https" if encrypted else "http")

    def inner_address(self, part: str) -> Address:
        """Where the other parts of the native stack reach *part*.

        Of a bridge with a file for TLS and users that is its private listener: 127.0.0.1 and the port after its own,
        unless BRIDGE_PRIVATE_ADDRESS says otherwise. Raises StackError if that is no address.
        """
        address = self.addresses[part]
        if part != "bridge":
            return address
        protected = self.value(BRIDGE_WEB_CONFIG, "")
        private = self.value(BRIDGE_PRIVATE_ADDRESS, f"127.0.0.1:{address.port + 1}" if protected else "")
        try:
            return parse_address(private) if private else address
        except ValueError as error:
            raise StackError(f"{BRIDGE_PRIVATE_ADDRESS}: {error}") from error


def _has_tls(web_configuration: Path) -> bool:
    """Whether the file, which the bridge checks when it starts, makes it speak TLS."""
    try:
        document = yaml.safe_load(web_configuration.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(document, dict) and bool(document.get("tls_server_config"))


def load_settings(environment: Mapping[str, str], checkout: Path = CHECKOUT) -> Settings:
    """Settings from *environment* and the `.env` in *checkout*; the environment wins, empty is not set.

    Raises StackError, naming the setting, if a value cannot be used.
    """
    env_file = _env_file(environment, checkout)
    env_values = {} if env_file is None else parse_env(env_file.read_text(encoding="utf-8"), str(env_file))
    merged = {**env_values, **environment}

    def read(name: str, default: str, check: Callable[[str], Value]) -> Value:
        try:
            return check(merged.get(name, "").strip() or default)
        except ValueError as error:
            raise StackError(f"{name}: {error}") from error

    settings = Settings(
        checkout=checkout,
        directory=read("STACK_DIR", ".stack", lambda text: _directory(text, checkout)),
        mode=read("STACK_MODE", "", _mode),
        addresses={
            part: read(setting_of(part), f"127.0.0.1:{DEFAULT_PORTS[part]}", parse_address) for part in PARTS
        },
        retention=read("PROMETHEUS_RETENTION", "30d", _duration),
        retention_size=read("PROMETHEUS_RETENTION_SIZE", "10GB", _size),
        env_file=env_file,
        env_values=env_values,
        environment=dict(environment),
    )
    _refuse_shared_ports(settings.addresses)
    return settings


def _env_file(environment: Mapping[str, str], checkout: Path) -> Path | None:
    """STACK_ENV_FILE, which must exist if it is set, else the checkout's `.env` if there is one."""
    chosen = environment.get("STACK_ENV_FILE", "").strip()
    path = checkout / (chosen or ".env")
    if chosen and not path.exists():
        raise StackError(f"STACK_ENV_FILE: {path} does not exist")
    return path if path.is_file() else None  # /dev/null stands for no file


def setting_of(part: str) -> str:
    """The name of the setting that holds the address of *part*."""
    return f"{part.upper()}_ADDRESS"


def parse_env(text: str, source: str) -> dict[str, str]:
    """Names and values of a `.env` file: ``NAME=value``, quotes around the value and ``export`` allowed.

    Raises StackError, naming the line, if one is neither that nor empty nor a comment.
    """
    values = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise StackError(f"{source}, line {number}: expected NAME=value")
        values[name.strip()] = _unquote(value.strip())
    return values


def _unquote(value: str) -> str:
    if value[:1] in {"'", '"'} and value.find(value[0], 1) > 0:
        return value[1 : value.find(value[0], 1)]
    return re.split(r"\s#", value, maxsplit=1)[0].strip()


def parse_address(text: str) -> Address:
    """Raises ValueError if *text* is not ``host:port``; an IPv6 host stands in brackets."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    if not colon or not name or any(character in name for character in "/@ []") or (":" in name) != bracketed:
        raise ValueError(f'expected host:port, got "{text}"')
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f'expected a port from 1 to 65535, got "{port}"')
    return Address(name, int(port))


def _directory(text: str, checkout: Path) -> Path:
    """An absolute path; a relative one starts at the checkout."""
    path = (checkout / Path(text).expanduser()).resolve()
    if _UNUSABLE_PATH.search(str(path)):
        raise ValueError(f'a path with a line break, " ;" or " #" cannot be used: "{path}"')
    if path in {Path("/"), Path.home().resolve()} or checkout.resolve().is_relative_to(path):
        raise ValueError(f'expected a folder of its own, got "{path}"')
    return path


def _mode(text: str) -> str | None:
    if text and text not in MODES:
        raise ValueError(f'expected docker or native, got "{text}"')
    return text or None


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise ValueError(f'expected a duration such as 30d or 12h, got "{text}"')
    return text


def _size(text: str) -> str:
    if not _SIZE.fullmatch(text):
        raise ValueError(f'expected a size such as 512MB or 10GB, or 0 for no limit, got "{text}"')
    return text


def _refuse_shared_ports(addresses: Mapping[str, Address]) -> None:
    taken: dict[int, str] = {}
    for part, address in addresses.items():
        if address.port in taken:
            raise StackError(
                f"{setting_of(part)}: {setting_of(taken[address.port])} has port {address.port} too"
            )
        taken[address.port] = part
