"""The metrics that minigem's events become."""

from __future__ import annotations

from typing import Final

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import PushGroup, make_push_group
from pushgateway_bridge.model.report import Shape
from pushgateway_bridge.tallies.caps import DEFAULT_CAP

GROUP: Final[PushGroup] = make_push_group("minigem", "")

EVENTS: Final = Family(
    "minigem_events_total", "counter", "Events by name; names that the extension does not send are other."
)
SKIPPED: Final = Family("minigem_events_skipped_total", "counter", "Items that were not counted, and why.")
BY_OS: Final = Family("minigem_events_by_os_total", "counter", "Events by family of operating systems.")
BY_EXTENSION: Final = Family(
    "minigem_events_by_extension_total", "counter", "Events by version of the extension."
)
BY_EDITOR: Final = Family("minigem_events_by_editor_total", "counter", "Events by version of the editor.")
BY_COUNTRY: Final = Family("minigem_events_by_country_total", "counter", "Events by country (ISO 3166-1).")
USERS: Final = Family("minigem_unique_users", "gauge", "Different users in the window, estimated.")
EXCEPTIONS: Final = Family(
    "minigem_distinct_exceptions", "gauge", "Different exceptions of Java runs in the window, estimated."
)
RUNS_STARTED: Final = Family("minigem_java_runs_started_total", "counter", "Java runs that were started.")
RUNS_COMPLETED: Final = Family(
    "minigem_java_runs_completed_total",
    "counter",
    "Java runs that ended: 0 normally, 1 with an exception, 130 by Ctrl+C, 143 terminated.",
)
RUN_ERRORS: Final = Family("minigem_java_run_errors_total", "counter", "Errors of Java runs by phase.")
RUN_DURATION: Final = Family(
    "minigem_java_run_duration_seconds",
    "histogram",
    "How long Java runs took.",
    "seconds",
    (0.5, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0),
)
RUN_WAIT: Final = Family(
    "minigem_java_run_input_wait_seconds",
    "histogram",
    "How long Java runs waited for input.",
    "seconds",
    (0.1, 0.5, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0),
)
RUN_OUTPUT: Final = Family(
    "minigem_java_run_output_total", "counter", "Java runs that ended, by how much they wrote."
)
RUNS_INTERACTIVE: Final = Family(
    "minigem_java_runs_interactive_total", "counter", "Java runs that ended and read input."
)
RUNS_TRUNCATED: Final = Family(
    "minigem_java_runs_truncated_total", "counter", "Java runs that ended and whose output was cut."
)
ACTIVE_SESSIONS: Final = Family(
    "minigem_active_sessions",
    "gauge",
    "Sessions with an event in the last ten minutes and no completed run.",
)

SHAPE: Final[Shape] = ((ACTIVE_SESSIONS, ()),)
"""What every report sets: always this object."""

CAPS: Final = {
    (BY_EXTENSION.name, "version"): DEFAULT_CAP,
    (BY_EDITOR.name, "version"): DEFAULT_CAP,
    (RUN_OUTPUT.name, "bucket"): DEFAULT_CAP,
    (BY_COUNTRY.name, "country"): DEFAULT_CAP,
}

EXIT_CODES: Final = {0: "0", 1: "1", 130: "130", 143: "143"}
"""Exit codes that have a label of their own."""
