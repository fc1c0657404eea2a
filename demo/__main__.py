"""``python -m demo run`` and ``python -m demo clean``: what `make demo` and `make demo-clean` run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import click

from demo.admin import ADMIN_NAME, bridge_url, make_admin_token
from demo.bridge import Bridge, DemoFailed
from demo.cleaning import INSTALLER_NAMES, clean, revoke_tokens
from demo.hosts import DAY, FAILING, HOSTS, Clock
from demo.stream import Counts, Demo
from stack.errors import StackError
from stack.settings import load_settings

TELL_SECONDS = 10.0
"""Where the progress is no terminal's, a line that often."""
HISTORY_QUERY = 'count(last_over_time(node_load1{instance=~"demo-.+"}[1d]))'
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}


class Duration(click.ParamType[float]):
    """Seconds, written as ``90s``, ``10m``, ``2h`` or ``1d``."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no time such as 90s, 10m, 2h or 1d", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


ADDRESS = click.option(
    "--bridge.url",
    "url",
    metavar="URL",
    help="The bridge to report to. Default: that of the stack that 'make up' started here.",
)
TOKEN = click.option(
    "--token",
    envvar="DEMO_TOKEN",
    metavar="TOKEN",
    help="A token of the bridge with the right admin (pushgateway-bridge token create --name demo --right admin). "
    "Not needed for a stack of this machine: the demo makes one that lasts a day. Also read from DEMO_TOKEN, "
    "where no list of processes shows it.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """A made-up fleet for a running stack, so that its dashboards have something to show. See docs/demo.md."""


@main.command()
@ADDRESS
@TOKEN
@click.option(
    "--duration", type=Duration(), help="End by itself after so long, such as 10m. Default: at Ctrl-C."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01, max=3600),
    default=60.0,
    show_default=True,
    help="How many times as fast as real the days of the hosts pass: at 60 one takes 24 minutes.",
)
@click.option(
    "--history",
    type=Duration(),
    default="1d",
    show_default=True,
    help="How much of the past to make up first, at most a day; 0: nothing. Left out if Prometheus has some already.",
)
@click.option(
    "--mix-events/--no-mix-events",
    default=False,
    help="Send made-up events even where real ones are counted: sums cannot be told apart, nor deleted. Default: no.",
)
def run(
    url: str | None, token: str | None, duration: float | None, speed: float, history: float, mix_events: bool
) -> None:
    """Report as 20 hosts until Ctrl-C, and send events of pupils' programs and of installations.

    Every dialect is spoken: pixeltracker, statusmonitor (with a token for each host), statix, samples, pushgateway,
    minigem and proxmoxve. All names begin with "demo-". The hosts' days go by --speed times as fast as real ones. One
    host, demo-nas, fails: its disk fills within 3 of its hours and after 4 it is silent (3 and 4 minutes at speed 60).

    Alerts about these hosts are real alerts: whoever is notified of others is notified of them.

    \b
      make demo                                        # until Ctrl-C
      make demo DEMO_ARGS='--duration 10m --speed 120'
      make demo-clean                                  # take it away again
    """  # noqa: D301 - click's mark of lines that stay as they are
    # What was started in the background of a shell inherits that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = threading.Event()
    began = time.time()
    with _failures_told():
        connect, own_admin = _connections(url, token)
        bridge = connect()
        progress = Progress()
        try:
            demo = _prepared(connect, bridge, Clock(began, speed), mix_events=mix_events, say=click.echo)
            past = threading.Thread(target=demo.send_history, args=(stop, _history(bridge, history)))
            past.start()
            try:
                demo.run(stop, began + duration if duration is not None else float("inf"), progress.tell)
            except KeyboardInterrupt:  # how one leaves
                pass
            finally:
                stop.set()
                past.join()
            progress.end(demo.counts)
        finally:
            if own_admin:
                _revoke_admin(bridge)
    click.echo("The demo has ended. 'make demo' goes on with it, 'make demo-clean' takes it away.")
    if demo.counts.sent == 0:
        sys.exit(1)


@main.command("clean")
@ADDRESS
@TOKEN
def take_away(url: str | None, token: str | None) -> None:
    """Delete at the bridge what the demo made there, and say what stays for how long."""
    with _failures_told():
        connect, _ = _connections(url, token)
        failed = clean(connect(), click.echo)
    sys.exit(1 if failed else 0)


@contextlib.contextmanager
def _failures_told() -> Iterator[None]:
    """Ends the program with one line where the demo cannot go on."""
    try:
        yield
    except (DemoFailed, StackError) as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(1)


class Progress:
    """The state in one line: rewritten at a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._told = 0.0

    def tell(self, line: str) -> None:
        """Show *line*."""
        now = time.monotonic()
        if self._terminal:
            click.echo(f"\r\x1b[K{line}", nl=False)
        elif now - self._told >= TELL_SECONDS:
            self._told = now
            click.echo(line)

    def end(self, counts: Counts) -> None:
        """Show how it ended."""
        click.echo(f"\r\x1b[K{counts.line()}" if self._terminal else counts.line())


def _connections(url: str | None, token: str | None) -> tuple[Callable[[], Bridge], bool]:
    """What makes connections to the bridge, as an admin; and whether their token was made here. Raises DemoFailed."""
    settings = load_settings(os.environ)
    address = url or bridge_url(settings)
    Bridge(address).check()
    if token is None and url is not None:
        raise DemoFailed("with --bridge.url the demo needs --token: one of that bridge, with the right admin")
    admin = token or make_admin_token(settings)
    return (lambda: Bridge(address, admin)), token is None


def _prepared(
    connect: Callable[[], Bridge],
    bridge: Bridge,
    clock: Clock,
    *,
    mix_events: bool,
    say: Callable[[str], None],
) -> Demo:
    revoke_tokens(bridge, admin=False)
    tokens = {
        host.name: bridge.make_token(host.name, host.dialect, host.name)
        for host in HOSTS
        if host.dialect == "statusmonitor"
    }
    installers = [bridge.make_token(name) for name in INSTALLER_NAMES]
    events = mix_events or not any(
        not version.endswith("-demo")
        for version in bridge.label_values("minigem_events_by_extension_total", "version")
    )
    installations = mix_events or not any(
        not app.startswith("demo-") for app in bridge.label_values("proxmoxve_app_executions_total", "app")
    )
    for there, what in ((events, "pupils' programs"), (installations, "installations")):
        if not there:
            say(f"this bridge counts real {what}: made-up ones are left out (--mix-events sends them)")
    say(
        f"{len(HOSTS)} hosts report to {bridge.url}, a day takes {DAY / clock.speed / 60:.3g} minutes; "
        f"{FAILING} will fail. Ctrl-C ends it."
    )
    say(f"See them at {bridge.url}/dashboard (or in Grafana) within a minute.")
    return Demo(connect, clock, tokens, installers, events=events, installations=installations)


def _history(bridge: Bridge, seconds: float) -> float:
    """How much of the past to send: nothing where there is some, or where it would not reach Prometheus."""
    if not seconds:
        return 0.0
    if not bridge.label_values("telemetry_remote_write_pending_samples", "remote"):
        click.echo(
            "the past is left out: this bridge is scraped, and a scrape has no past (delivery: remote_write)"
        )
        return 0.0
    if bridge.has_history(HISTORY_QUERY):
        click.echo("the past is left out: Prometheus has some of an earlier demo")
        return 0.0
    return seconds


def _revoke_admin(bridge: Bridge) -> None:
    """The token that the demo made for itself is void once it has ended."""
    admins = [token for token in bridge.tokens() if token.name == ADMIN_NAME]
    for token in sorted(admins, key=lambda one: one.id):
        bridge.revoke(token)


if __name__ == "__main__":
    main()
