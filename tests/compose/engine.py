"""podman and podman-compose with storage, networks and settings of their own: nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = (
    "buildah",
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "iptables",
    "debootstrap",
    "busybox-static",
)
PODMAN_COMPOSE = "podman-compose==1.6.0"
FOLDERS = "telemetry-compose"
"""How the names of their folders begin; the process that made one follows."""

# runc because crun refuses machines where both control group versions are mounted; the limits because the
# defaults are above what an unprivileged init may set.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "{driver}"
runroot = "{folder}/run"
graphroot = "{folder}/images"
"""


class Engine:
    """podman, buildah and podman-compose on a folder of their own; `close` leaves nothing behind in it."""

    def __init__(self, folder: Path, podman_compose: Path) -> None:
        self.folder = folder
        self._podman_compose = podman_compose
        self._environment = {
            **os.environ,
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def prepare(self) -> None:
        """Write the settings, with the quickest storage that works here."""
        folder = self.folder
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        (folder / "networks").mkdir()
        for driver in ("overlay", "vfs"):  # vfs copies whole layers, but works everywhere
            (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder, driver=driver))
            if self._run("podman", "info", check=False).returncode == 0:
                return
        self._run("podman", "info")

    def podman(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run("podman", *arguments, check=check)

    def inspect(self, kind: str, name: str) -> Any:
        """What podman tells about one container or image."""
        return json.loads(self.podman(kind, "inspect", name).stdout)[0]

    def import_root(self, root: Path, image: str, changes: Sequence[str] = ()) -> None:
        """Make the folder *root* the one layer of *image*."""
        options = [option for change in changes for option in ("--change", change)]
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(
                ["podman", "import", "--quiet", *options, "-", image],
                stdin=tar.stdout,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        assert tar.returncode == 0, f"tar of {root} failed"

    def build(self, image: str, dockerfile: Path, context: Path) -> None:
        """Build *image* without pulling anything. Docker's format, as OCI's knows no HEALTHCHECK."""
        self._run(
            "buildah", "bud", "--isolation", "chroot", "--format", "docker", "--pull-never",
            "--tag", image, "--file", dockerfile, context,
        )  # fmt: skip

    def compose(
        self, project: str, directory: Path, *arguments: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return self._run(
            self._podman_compose,
            "--project-name",
            project,
            *arguments,
            cwd=directory,
            environment=environment,
        )

    def close(self) -> None:
        """End every container of this folder and delete its images, volumes, networks and the folder."""
        self.podman("rm", "--all", "--force", "--time", "0", "--volumes", check=False)
        self.podman("network", "prune", "--force", check=False)
        self.podman("system", "reset", "--force", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(
        self,
        *command: str | Path,
        check: bool = True,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env={**self._environment, **(environment or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            said = (done.stdout + done.stderr)[-4000:]
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
        return done


def start_engine(podman_compose: Path) -> Engine:
    """An engine in a new folder.

    Those of test runs that were cut short are closed: their name servers would answer for the new one.
    """
    folders = Path(tempfile.gettempdir())
    for folder in folders.glob(f"{FOLDERS}-*-*"):
        if not Path("/proc", folder.name.split("-")[-2]).exists():
            Engine(folder, podman_compose).close()
    engine = Engine(Path(tempfile.mkdtemp(prefix=f"{FOLDERS}-{os.getpid()}-")), podman_compose)
    try:
        engine.prepare()
    except BaseException:
        engine.close()
        raise
    return engine


def why_not_here() -> str | None:
    """The reason for which containers cannot be run here; None if they can."""
    if os.geteuid() != 0:
        return "needs root: podman is given a network and mounts of its own"
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        return "needs Debian: podman and the stand-in images come from its packages"
    return None


def install_packages() -> None:
    """Install what is missing of PACKAGES, system-wide."""
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\n", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[1] for line in query.stdout.splitlines() if line.startswith("ii")}
    missing = [package for package in PACKAGES if package not in installed]
    if missing:
        wait = ["-q", "-o", "DPkg::Lock::Timeout=300"]
        subprocess.run(["apt-get", *wait, "update"], check=True)
        subprocess.run(
            ["apt-get", *wait, "install", "-y", "--no-install-recommends", *missing],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=True,
        )


def install_podman_compose(folder: Path) -> Path:
    """The podman-compose of a virtual environment in *folder*, made if it is not there."""
    program = folder / "bin" / "podman-compose"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = folder / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "--disable-pip-version-check", PODMAN_COMPOSE], check=True)
    return program
