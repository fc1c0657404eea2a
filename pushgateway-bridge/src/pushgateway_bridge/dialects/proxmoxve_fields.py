"""What ProxmoxVE's server takes: the bounds, words and lengths of each field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pushgateway_bridge.dialects.masking import mask_paths, mask_text
from pushgateway_bridge.dialects.proxmoxve_errors import Ending, classify
from pushgateway_bridge.dialects.proxmoxve_event import MAINLINE, PROGRESS, TERMINAL, TYPES, ProxmoxveEvent
from pushgateway_bridge.dialects.proxmoxve_exit_codes import CATEGORIES, UNKNOWN
from pushgateway_bridge.dialects.proxmoxve_payload import Payload, Sent

OS_TYPES: Final = frozenset(
    {
        *("debian", "ubuntu", "alpine", "devuan", "fedora", "rocky", "alma", "centos", "opensuse", "gentoo"),
        *("openeuler", "homeassistant", "opnsense", "openwrt", "mikrotik", "umbrel-os", "pimox-haos"),
        *("owncloud", "turnkey-nextcloud", "arch-linux"),
    }
)
STATUSES: Final = frozenset({"installing", *PROGRESS, *TERMINAL})
REPOSITORIES: Final = (MAINLINE, "ProxmoxVED", "external")
GPU_VENDORS: Final = frozenset({"intel", "amd", "nvidia", UNKNOWN})
GPU_PASSTHROUGHS: Final = frozenset({"igpu", "dgpu", "vgpu", "none", "yes", "no", UNKNOWN})
"""The words of two generations; ``yes`` and ``no`` are the newest's."""
CPU_VENDORS: Final = frozenset({"intel", "amd", "arm", "apple", "qualcomm", UNKNOWN})

MAX_ERROR_BYTES: Final = 131_072
"""Of an error text, what is looked at."""
KEPT_ERROR_BYTES: Final = 4_096
"""Of an error text, what is kept."""
_PRIVATE_REACH: Final = 256
"""Characters beyond a cut that are looked at, so that half an address is not left."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_+]+(?:[ ./-][A-Za-z0-9_+]+){0,2}")
"""Most texts. They are too short of dots, dashes and colons for an address, and have no root for a home folder."""

_BOUNDS: Final[Mapping[str, int]] = {
    "disk_size": 100_000,
    "core_count": 256,
    "ram_size": 1_048_576,
    "exit_code": 255,
    "install_duration": 86_400,
}
MAX_CT_TYPE: Final = 2
MAX_DURATION: Final = _BOUNDS["install_duration"]
MAX_LINE: Final = 2**31 - 1


class Invalid(Exception):
    """A field has a value that the server does not take."""


def read_event(sent: Sent, *, updates: bool, predecessor: bool) -> tuple[ProxmoxveEvent, bool]:
    """The event, and whether something private was blanked out. Raises Invalid.

    *predecessor*: whether it came to the API of generation 0; *updates*: as an update, which names no application.
    """
    payload = sent.payload
    text = _Texts()
    random_id = cut(payload.random_id or "", 64)
    event_type = cut(payload.type or "", 8)
    status = cut(payload.status or "", 16)
    if not random_id or not status:
        raise Invalid("random_id or status")
    app = text.line(payload.nsapp, 64)
    if not updates and (not app or event_type not in TYPES):
        raise Invalid("nsapp or type")
    _check_numbers(payload)
    status = _status(status, predecessor=predecessor)
    in_machine = event_type in ("lxc", "vm")
    if in_machine and status == "installing" and not 0 <= (payload.ct_type or 0) <= MAX_CT_TYPE:
        raise Invalid("ct_type")
    os_type = text.line(payload.os_type, 32)
    if os_type in ("-", "none"):
        os_type = ""
    if in_machine and os_type and os_type not in OS_TYPES:
        raise Invalid("os_type")
    repo_slug = text.line(payload.repo_slug, 128)
    ending = _ending(sent, event_type, status, updates=updates, predecessor=predecessor)
    return (
        ProxmoxveEvent(
            execution=cut(payload.execution_id or "", 64) or random_id,
            status=ending.status,
            generation=_generation(payload, ending.status, predecessor=predecessor),
            type=event_type if event_type in TYPES else "",
            app=app,
            ct_type=payload.ct_type if payload.ct_type and 0 <= payload.ct_type <= MAX_CT_TYPE else 0,
            disk_gigabytes=int(payload.disk_size or 0),
            cores=payload.core_count or 0,
            memory_megabytes=payload.ram_size or 0,
            os_type=os_type,
            os_version=text.line(payload.os_version, 32),
            pve_version=text.line(payload.pve_version, 32),
            method=text.line(payload.method, 32),
            exit_code=ending.exit_code,
            error=text.block(ending.error, KEPT_ERROR_BYTES) if ending.error else "",
            error_category=ending.category,
            error_pattern=ending.pattern,
            duration_seconds=_duration(payload),
            gpu_vendor=_word(payload.gpu_vendor, 16, GPU_VENDORS),
            gpu_model=text.line(payload.gpu_model, 64),
            gpu_passthrough=_word(payload.gpu_passthrough, 16, GPU_PASSTHROUGHS),
            cpu_vendor=_word(payload.cpu_vendor, 16, CPU_VENDORS),
            cpu_model=text.line(payload.cpu_model, 64),
            ram_speed=text.line(str(payload.ram_speed), 16) if payload.ram_speed is not None else "",
            repo_source=_repository(payload.repo_source, repo_slug),
            repo_slug=repo_slug,
            has_arm=payload.has_arm or False,
            arch=text.line(payload.arch, 16),
            platform=text.line(payload.platform, 16),
            kernel_version=text.line(payload.kernel_version, 64),
            app_version=text.line(payload.app_version, 64),
            failed_command=text.line(payload.failed_command, 256),
            failed_line=payload.failed_line if 0 < (payload.failed_line or 0) <= MAX_LINE else 0,  # type: ignore[arg-type]
        ),
        text.masked,
    )


def _ending(sent: Sent, event_type: str, status: str, *, updates: bool, predecessor: bool) -> Ending:
    """How the execution ended, or what is said of that before it has."""
    payload = sent.payload
    exit_code = payload.exit_code
    if exit_code is None and sent.exit_code_readable and not predecessor:
        exit_code = 0
    category = _word(payload.error_category, 32, CATEGORIES)
    error = _error_text(payload.error or "")
    if status not in TERMINAL:
        return Ending(status, exit_code, error, category)
    if predecessor:
        if status == "success" or error.lower() == "none":
            error = ""  # "Unknown error" of a success, in January 2026
        status = _status_of_error(status, error)
    return classify(event_type, status, exit_code, error, category, zero_is_success=not updates)


class _Texts:
    """Cleans texts that are kept, and remembers whether one of them had something private."""

    __slots__ = ("masked",)

    def __init__(self) -> None:
        self.masked = False

    def line(self, text: str | None, longest: int) -> str:
        """*text* trimmed, on one line, masked, and cut to *longest* bytes."""
        if not text:
            return ""
        if len(text) <= longest and _PLAIN.fullmatch(text):
            return text
        text = text.strip()[: longest + _PRIVATE_REACH]
        if not text.isprintable():
            text = "".join(character if character.isprintable() else " " for character in text)
        return cut(self._mask(text), longest)

    def block(self, text: str, longest: int) -> str:
        """*text* masked and cut to *longest* bytes, with its line breaks."""
        return cut(self._mask(text[: longest + _PRIVATE_REACH]), longest)

    def _mask(self, text: str) -> str:
        masked = mask_text(mask_paths(text))
        if masked != text:
            self.masked = True
        return masked


def cut(text: str, longest: int) -> str:
    """*text* trimmed and cut to *longest* bytes, between two characters."""
    text = text.strip()
    if len(text) * 4 <= longest or (text.isascii() and len(text) <= longest):
        return text
    return text.encode()[:longest].decode(errors="ignore")


def _error_text(text: str) -> str:
    """*text* as it is looked at."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return cut(text, MAX_ERROR_BYTES)


def _check_numbers(payload: Payload) -> None:
    for field, largest in _BOUNDS.items():
        value = getattr(payload, field)
        if value is not None and not 0 <= value <= largest:
            raise Invalid(field)


def _word(text: str | None, longest: int, known: frozenset[str]) -> str:
    """The lower-cased *text* if it is one of *known*, ``unknown`` if it is another; empty if there is none."""
    if not text:
        return ""
    word = cut(text, longest).lower()
    return word if word in known else UNKNOWN


def _status(status: str, *, predecessor: bool) -> str:
    if status == "sucess" or (predecessor and status == "done"):
        return "success"
    return status if status in STATUSES else "unknown"


def _status_of_error(status: str, error: str) -> str:
    """Generation 0 says in the error text what happened."""
    if status == "failed" and error.upper() in ("INTERRUPTED", "SIG INTERUPT", "SIG INTERRUPT"):
        return "aborted"
    return status


def _repository(source: str | None, slug: str) -> str:
    source = cut(source, 64) if source else ""
    if source:
        if source not in REPOSITORIES:
            raise Invalid("repo_source")
        return source
    if not slug:
        return ""
    name = slug.rpartition("/")[2].lower()
    return next((one for one in REPOSITORIES if one.lower() == name), "external")


def _duration(payload: Payload) -> int:
    if payload.install_duration:
        return payload.install_duration
    duration = payload.duration or 0
    return duration if 0 < duration <= MAX_DURATION else 0


def _generation(payload: Payload, status: str, *, predecessor: bool) -> str:
    """Which generation of clients sends such fields."""
    if predecessor:
        return "0"
    newest = (payload.payload_version, payload.kernel_version, payload.failed_command, payload.failed_line)
    if any(field is not None for field in (*newest, payload.app_version)):
        return "3.1"
    if any(
        field is not None for field in (payload.repo_slug, payload.has_arm, payload.arch, payload.platform)
    ):
        return "3"
    return "2" if payload.execution_id or status in PROGRESS else "1"
