"""Whether an update waits for the host to be restarted, as Debian and Ubuntu note it in ``/run/reboot-required``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from host_exporter.plugin_api import Collect, Collector, Family, HostPaths, Setting, Settings, Value

PLUGIN_API_VERSION = 1
"""For which version of the exporter's plugin API this is written: a number of our own, not the exporter's."""

REQUIRED = Family("host_reboot_required", "gauge", "1 if an update waits for the host to be restarted.")
PACKAGES = Family("host_reboot_packages", "gauge", "How many packages wait for the host to be restarted.")
PACKAGE_INFO = Family(
    "host_reboot_package_info", "gauge", "Always 1; a package that waits for a restart.", ("package",)
)
FAMILIES = (REQUIRED, PACKAGES, PACKAGE_INFO)

SETTINGS = (
    Setting("packages", default=False, help="One series for each package that waits for a restart."),
    Setting("file", "run/reboot-required", "The note, below the host's root.", metavar="FILE"),
)


def make(settings: Settings) -> Collect:
    """Called once, at the start, with what the flags say; what it gives is called at each scrape."""
    return partial(collect, settings.text("file"), settings.switch("packages"))


def collect(file: str, with_packages: bool, paths: HostPaths) -> Iterator[Value]:
    """Reads the note, which the package manager writes and a restart removes."""
    required = _read(paths, file) is not None
    packages = {line for line in (_read(paths, f"{file}.pkgs") or "").splitlines() if line}
    yield REQUIRED, (), int(required)
    yield PACKAGES, (), len(packages)
    if with_packages:
        for package in sorted(packages):
            yield PACKAGE_INFO, (package,), 1


def _read(paths: HostPaths, file: str) -> str | None:
    try:
        return paths.read_replaced(file)
    except FileNotFoundError:
        return None


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
