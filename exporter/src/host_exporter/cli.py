"""The command line: flags and their environment variables → Config; exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from host_exporter import app, logs, scrape, selfmetrics
from host_exporter.collector import Collector, SettingError
from host_exporter.collector_flags import argument_of, collector_flags, flag, switches, told
from host_exporter.collectors import COLLECTORS, textfile
from host_exporter.config import (
    DEFAULT_LISTEN_ADDRESS,
    Config,
    enabled_collectors,
    parse_disk_path,
    parse_listen_address,
    parse_telemetry_path,
)
from host_exporter.plugins import PluginError, load_plugins
from host_exporter.system import aliases
from host_exporter.web import RESERVED_PATHS

log = logging.getLogger(__name__)

PROGRAM = "host-exporter"
WRONG_FLAG = 2
START_FAILURE = 3
"""Exit code where the command line is right and the exporter still cannot start; a wrong flag is 2."""

FOLDER = click.Path(exists=True, file_okay=False)


def checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Turns a flag's text into what we use; the ValueError of *parse* is what the user reads."""

    def convert(_context: click.Context, parameter: click.Parameter, text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from error

    return convert


def checked_each(
    parse: Callable[[str], Any],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], Any]:
    """The same for a flag that may be repeated."""
    convert = checked(parse)
    return lambda context, parameter, texts: tuple(convert(context, parameter, text) for text in texts)


_FLAGS_BEFORE = (
    flag(
        "--web.listen-address",
        callback=checked_each(parse_listen_address),
        metavar="HOST:PORT",
        multiple=True,
        default=[str(DEFAULT_LISTEN_ADDRESS)],
        show_default=True,
        help="Where to listen; repeatable (in the environment: separated by blanks).",
    ),
    flag(
        "--web.telemetry-path",
        callback=checked(partial(parse_telemetry_path, reserved=RESERVED_PATHS)),
        metavar="PATH",
        default="/metrics",
        show_default=True,
        help="Where the metrics are served.",
    ),
    flag(
        "--web.config.file",
        callback=lambda _context, _parameter, text: Path(text) if text else None,
        metavar="FILE",
        default="",
        help="TLS, client certificates, users and headers, in the format of Prometheus' exporter-toolkit.",
    ),
)
_FLAGS_AFTER = (
    flag("--collector.disable-defaults", is_flag=True, help="Run only the collectors that are named."),
    flag(
        "--path.procfs",
        type=FOLDER,
        default="/proc",
        show_default=True,
        help="Where the host's procfs is mounted.",
    ),
    flag(
        "--path.sysfs",
        type=FOLDER,
        default="/sys",
        show_default=True,
        help="Where the host's sysfs is mounted.",
    ),
    flag(
        "--path.rootfs", type=FOLDER, default="/", show_default=True, help="Where the host's root is mounted."
    ),
    flag(
        "--path.udev.data",
        default=None,
        metavar="DIRECTORY",
        help="Where udev keeps what it knows of devices; by default run/udev/data below the root.",
    ),
    flag(
        "--system.disk-path",
        callback=checked(parse_disk_path),
        metavar="PATH",
        default="/",
        show_default=True,
        help="The mount point whose space /system tells.",
    ),
    flag(
        "--log.level",
        type=click.Choice([*logs.LEVELS]),
        default="info",
        show_default=True,
        help="What is logged.",
    ),
    flag(
        "--log.format",
        type=click.Choice(logs.FORMATS),
        default="logfmt",
        show_default=True,
        help="How it is.",
    ),
)
"""In the order of the help; those of the collectors stand between them."""


def make_cli(collectors: Mapping[str, Collector]) -> click.Group:
    """The command line of an exporter that has these *collectors*."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(app.VERSION, prog_name=PROGRAM, message="%(prog)s %(version)s")
    def cli() -> None:
        """Show this host's metrics to Prometheus under node_exporter's names."""

    @click.version_option(app.VERSION, prog_name=PROGRAM, message="%(prog)s %(version)s")
    def serve(**settings: Any) -> None:
        """Serve /metrics until SIGTERM or SIGINT.

        Each flag is an environment variable as well: --collector.cpu.info is HOST_EXPORTER_COLLECTOR_CPU_INFO.
        """
        _serve(collectors, settings)

    for give in reversed((*_FLAGS_BEFORE, collector_flags(collectors), *_FLAGS_AFTER)):
        serve = give(serve)
    cli.command()(serve)
    return cli


def _serve(collectors: Mapping[str, Collector], settings: Mapping[str, Any]) -> None:
    logs.configure(settings["log_level"], settings["log_format"])
    context = click.get_current_context()
    taken = {
        flag_name: context.get_parameter_source(argument_of(flag_name)) is ParameterSource.DEFAULT_MAP
        for flag_name in aliases.ALIASES.values()
    }
    for name in aliases.used(os.environ, taken):
        log.info("alias", extra={"variable": name, "setting": aliases.ALIASES[name]})
    app.serve(
        Config(
            listen_addresses=settings["web_listen_address"],
            telemetry_path=settings["web_telemetry_path"],
            web_config_file=settings["web_config_file"],
            collectors=enabled_collectors(
                {name: collector.on_by_default for name, collector in collectors.items()},
                switches(collectors, settings),
                settings["collector_disable_defaults"],
            ),
            told=told(collectors, settings),
            procfs=settings["path_procfs"],
            sysfs=settings["path_sysfs"],
            rootfs=settings["path_rootfs"],
            udev_data=settings["path_udev_data"],
            disk_path=settings["system_disk_path"],
        ),
        collectors,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program. Each way to fail is one line on stderr and a status: 2 wrong flag, 3 cannot start."""
    try:
        collectors = _all_collectors()
        told_by_aliases = aliases.translate(os.environ)
        status = make_cli(collectors).main(
            _with_command(sys.argv[1:] if arguments is None else arguments),
            prog_name=PROGRAM,
            standalone_mode=False,
            default_map={"serve": {argument_of(name): value for name, value in told_by_aliases.items()}},
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _exit(error.format_message(), error.exit_code)
    except (SettingError, aliases.AliasError) as error:
        _exit(str(error), WRONG_FLAG)
    except (PluginError, app.StartFailureError) as error:
        _exit(str(error), START_FAILURE)
    sys.exit(status if isinstance(status, int) else 0)


def _all_collectors() -> dict[str, Collector]:
    """Ours and the plugins', by name; textfiles take no metric of theirs. Raises PluginError."""
    collectors = dict(sorted({**COLLECTORS, **load_plugins()}.items()))
    taken = [family for collector in collectors.values() for family in collector.families]
    collectors["textfile"] = textfile.collector(lambda: [*scrape.FAMILIES, *selfmetrics.FAMILIES, *taken])
    return collectors


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Flags alone serve, as node_exporter's do."""
    flags_alone = bool(arguments) and arguments[0].startswith("--") and arguments[0] not in _OWN_FLAGS
    return ["serve", *arguments] if flags_alone else [*arguments]


_OWN_FLAGS = {"--help", "--version"}


def _exit(message: str, status: int) -> None:
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)
    sys.exit(status)
