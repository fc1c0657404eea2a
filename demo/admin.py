"""An admin token for a stack that runs on this machine, made as a person would make it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from demo.bridge import DemoFailed
from stack import docker, folder
from stack.settings import Settings, parse_address

ADMIN_NAME = "demo-admin"
LIFETIME = "1d"
COMMAND_SECONDS = 60


def bridge_url(settings: Settings) -> str:
    """Where the bridge of the stack in STACK_DIR listens; of none that was started, where it would."""
    record = folder.read_record(settings.directory)
    if record is None or "bridge" not in record.addresses:
        return settings.addresses["bridge"].url()
    return parse_address(record.addresses["bridge"]).url()


def make_admin_token(settings: Settings) -> str:
    """The text of a new token with the right admin, good for a day. Raises DemoFailed."""
    command = command_line(settings)
    try:
        made = subprocess.run(
            command,
            cwd=settings.checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoFailed(f"no admin token could be made ({error}): give one with --token") from error
    if made.returncode != 0:
        said = made.stderr.strip().splitlines()
        raise DemoFailed(
            f"no admin token could be made ({said[-1] if said else made.returncode}): give one with --token"
        )
    return made.stdout.strip()


def command_line(settings: Settings) -> Sequence[str]:
    """What makes the token: beside the bridge's data, or in its container. Raises DemoFailed if there is no stack."""
    record = folder.read_record(settings.directory)
    if record is None:
        raise DemoFailed(
            f"no stack was started in {settings.directory}: run 'make up', or give a token with --token"
        )
    new = ("token", "create", "--name", ADMIN_NAME, "--right", "admin", "--expires-in", LIFETIME)
    if record.mode == "native":
        data = folder.data_folder(settings.directory, "bridge")
        return [sys.executable, "-m", "pushgateway_bridge", *new, "--journal.directory", str(data)]
    project = docker.command(settings, "down")[: -len(docker.ACTIONS["down"])]
    return [*project, "exec", "-T", "bridge", "pushgateway-bridge", *new]
