"""How the bridge sends its reports: by the mail settings of the alerts."""

from __future__ import annotations

import os
from pathlib import Path

from pushgateway_bridge.config import Config
from pushgateway_bridge.mail import MailSettings, mail_settings
from pushgateway_bridge.render_config import settings_lookup


def mail_of(config: Config) -> MailSettings | None:
    """How the weekly report is sent; None if it is not. Raises StartFailed."""
    if not config.reports.weekly:
        return None
    file = config.reports.env_file
    return mail_settings(settings_lookup(os.environ, Path(file) if file else None))
