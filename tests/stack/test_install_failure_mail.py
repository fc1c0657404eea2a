"""The mail about failing installations: what it says, and that it is sent anew each hour while they fail."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.alerts.alertmanager import TEMPLATE, alert, hurry, newest, routes_of, seconds_of, wait_for
from tests.stack.alerts.chain import Chain, chain

pytestmark = pytest.mark.stack

NAME = "InstallFailureRateHigh"
DESCRIPTION = (
    "66.67% of the installations from ProxmoxVE that ended within 24 hours failed: 32 of 48; the limit is 20%, of at "
    'least 10. Most failures, of all repositories: gitea 10 of 19, "}) or {{ . }} <b>\\ 6 of 6.'
)
"""As the rule tests have it."""


def firing(name: str, description: str = "") -> dict[str, Any]:
    posted = alert(name, job="proxmoxve", repo_source="ProxmoxVE")
    return {**posted, "annotations": {**posted["annotations"], "description": description}}


def mails(running: Chain, name: str) -> int:
    return sum(name in mail.subject for mail in running.mailbox.mails)


def test_it_is_mailed_again_and_again_with_rate_counts_and_applications(tmp_path: Path) -> None:
    """An hour is 1.8 seconds here; another warning would come again after 21."""
    with chain(tmp_path, newest(), partial(hurry, divisor=2000)) as running:
        running.alertmanager.post([firing(NAME, DESCRIPTION), firing("EventsMissing")])
        wait_for("a repetition", lambda: mails(running, NAME) == 2)

        assert mails(running, "EventsMissing") == 1
        assert DESCRIPTION in running.mailbox.mails[0].part("plain") + running.mailbox.mails[1].part("plain")


def test_it_is_repeated_when_the_group_is_looked_at_after_an_hour() -> None:
    """What was sent a moment after the group was looked at is not quite an hour old when an hour has passed."""
    root = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["route"]
    routes = [route for route in routes_of(root) if NAME in str(route.get("matchers"))]
    look = seconds_of(root["group_interval"])

    assert routes
    for route in routes:
        assert "group_interval" not in route
        looks = seconds_of(route["repeat_interval"]) // look + 1
        assert looks * look == 3600
