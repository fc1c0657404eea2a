"""Taking the demo away again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from demo.admin import ADMIN_NAME
from demo.bridge import Bridge
from demo.hosts import BACKED_UP, BACKUP_JOB, HOSTS, job_of

INSTALLER_NAMES = tuple(f"demo-installer-{number}" for number in range(1, 5))
"""Senders of proxmoxve's events: the bridge allows each 60 pushes a minute."""
STAYS = """\
What stays, and for how long:
  - what Prometheus stores: until its retention ends (PROMETHEUS_RETENTION, 30 days unless set).
  - counted events (jobs minigem and proxmoxve), as a sum does not know who was real. The extension's versions end
    with "-demo", the applications begin with "demo-". EventsMissing may fire an hour after the last of them, for a day.
  - the newest entries that the bridge shows as pixeltracker's and the events' own servers did: a day.
  - alerts that fire about these hosts just now, such as SourceSilent: ten minutes. Whoever was told of them is told
    that they are over, and the history has them again then: run this once more.
'make reset' deletes all data of the stack at once."""


def sources_of_demo() -> Mapping[str, Sequence[str]]:
    """Job → instances, of everything that the demo reports as."""
    found: dict[str, list[str]] = {BACKUP_JOB: [*BACKED_UP]}
    for host in HOSTS:
        found.setdefault(job_of(host), []).append(host.name)
    return found


def clean(bridge: Bridge, say: Callable[[str], None]) -> int:
    """Delete what the demo made; how much could not be deleted. Raises DemoFailed."""
    failed = sources = series = 0
    for job, names in sources_of_demo().items():
        there = bridge.sources(job, names)
        if not there:
            continue
        answer = bridge.delete("/api/v1/sources", {"job": job, "instance": there})
        if answer.ok:
            told = answer.json()
            sources, series = sources + told["sources"], series + told["series"]
        else:
            say(f"sources of job {job}: not deleted, the bridge answers {answer.status_code}")
            failed += 1
    for host in HOSTS:
        deletions = [("alert history", "/api/v1/alerts/history", {"instance": host.name})]
        if host.dialect == "statix":
            deletions.append(("entries", f"/sx/hosts/{host.name}", {}))
        for what, path, parameters in deletions:
            answer = bridge.delete(path, parameters)
            if not answer.ok:
                say(f"{what} of {host.name}: not deleted, the bridge answers {answer.status_code}")
                failed += 1
    revoked = revoke_tokens(bridge)
    say(
        f"deleted {sources} sources with {series} series, their entries and alert history, and {revoked} tokens"
    )
    say(STAYS)
    return failed


def revoke_tokens(bridge: Bridge, *, admin: bool = True) -> int:
    """Make the tokens of the demo void; how many that were. Raises DemoFailed.

    With *admin* those too with which it asks for this, the newest of them last: that may be the one in use.
    """
    made = {(host.name, host.dialect, host.name) for host in HOSTS if host.dialect == "statusmonitor"}
    made |= {(name, "", "") for name in INSTALLER_NAMES}
    if admin:
        made.add((ADMIN_NAME, "", ""))
    ours = [token for token in bridge.tokens() if token[1:] in made]
    for token in sorted(ours, key=lambda one: (one.name == ADMIN_NAME, one.id)):
        bridge.revoke(token)
    return len(ours)
