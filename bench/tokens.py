"""Tokens for the sources of a dialect that wants one of each."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from bench.pushes import host_name
from bench.servers import Bridge, ServerFailed


def make_tokens(bridge: Bridge, job: str, groups: int) -> tuple[str, ...]:
    """A push token for each of *groups* hosts of *job*, made by *bridge*, which runs. Raises ServerFailed."""
    headers = {"Authorization": f"Bearer {make_admin_token(bridge)}", "Content-Type": "application/json"}
    tokens = []
    with contextlib.closing(bridge.connect()) as connection:
        for group in range(groups):
            host = host_name(group)
            new = {"name": host, "rights": ["push"], "job": job, "instance": host}
            connection.request("POST", "/api/v1/tokens", json.dumps(new), headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 201:
                raise ServerFailed(f"{bridge.name}: a new token was answered {answer.status}, {body[:200]!r}")
            tokens.append(json.loads(body)["token"])
    return tuple(tokens)


def make_admin_token(bridge: Bridge) -> str:
    """A token that may do anything, made at the command line as a person does. Raises ServerFailed."""
    command = [
        *(sys.executable, "-m", "pushgateway_bridge", "token", "create"),
        *("--name", "benchmark", "--right", "admin", "--journal.directory", str(bridge.journal)),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise ServerFailed(f"no admin token: {made.stderr.strip()[-300:]}")
    return made.stdout.strip()
