"""Taking the demo away again."""

from __future__ import annotations

from collections.abc import Callable

from demo.admin import ADMIN_NAME
from demo.bridge import Bridge
from demo.hosts import BACKED_UP, HOSTS
from demo.reports import backup_path

INSTALLER_NAMES = tuple(f"demo-installer-{number}" for number in range(1, 5))
"""Senders of proxmoxve's events: the bridge allows each 60 pushes a minute."""
STAYS = """\
What the bridge has no way to delete, and what becomes of it:
  - series of the hosts that reported as pixeltracker, statusmonitor and samples: gone 4 minutes after their last
    report at most. That they once reported is known for 30 days, so SourceSilent fires about them for up to a day.
  - counted events (jobs minigem and proxmoxve): they stay counted. The extension's versions end with "-demo", the
    applications begin with "demo-".
  - what Prometheus stores: until its retention ends (PROMETHEUS_RETENTION, 30 days unless set).
'make reset' deletes all data of the stack at once."""


def clean(bridge: Bridge, say: Callable[[str], None]) -> int:
    """Delete what the demo made; how much could not be deleted. Raises DemoFailed."""
    deletions: list[tuple[str, str, dict[str, str] | None]] = [
        *(
            (f"host {host.name}", f"/sx/hosts/{host.name}", None)
            for host in HOSTS
            if host.dialect == "statix"
        ),
        *((f"backups of {name}", backup_path(name), None) for name in BACKED_UP),
        *(
            (f"alert history of {host.name}", "/api/v1/alerts/history", {"instance": host.name})
            for host in HOSTS
        ),
    ]
    failed = 0
    for what, path, parameters in deletions:
        if not 200 <= (status := bridge.delete(path, parameters)) < 300:
            say(f"{what}: not deleted, the bridge answers {status}")
            failed += 1
    revoked = revoke_tokens(bridge)
    say(f"deleted {len(deletions) - failed} of {len(deletions)}, and {revoked} tokens")
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
