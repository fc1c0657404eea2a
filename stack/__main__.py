"""`python -m stack COMMAND`: what the Makefile runs."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stack import commands, tools, viewer
from stack.errors import StackError
from stack.settings import Settings, load_settings

COMMANDS: Mapping[str, Callable[[Settings], int]] = {
    "up": commands.up,
    "down": commands.down,
    "reset": commands.reset,
    "status": commands.status,
    "logs": commands.logs,
}


class Provider(Protocol):
    """Looks for a program that is only ever installed system-wide."""

    def __call__(self, *, install: bool) -> bool: ...


PROVIDERS: Mapping[str, Provider] = {"browser": tools.provide_browser, "strace": tools.provide_strace}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stack", description="Starts, watches and ends the stack."
    )
    parser.add_argument("command", choices=[*COMMANDS, "tools", "viewer"])
    parser.add_argument("names", nargs="*", help="with tools: programs to look up, or browser, or strace")
    chosen = parser.parse_args(arguments)
    if chosen.names and chosen.command != "tools":
        parser.error(f"{chosen.command} takes no names")
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # progress must be seen as it happens, through a pipe as well
        sys.stdout.reconfigure(line_buffering=True)
    try:
        return _run(chosen.command, chosen.names)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        for line in error.details:
            print(f"    {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: interrupted", file=sys.stderr)
        return 130


def _run(command: str, names: Sequence[str]) -> int:
    if command == "tools":
        provide = PROVIDERS.get(names[0]) if len(names) == 1 else None
        return _tools(names) if provide is None else _provided(provide)
    if command == "viewer":
        return _viewer()
    return COMMANDS[command](load_settings(os.environ))


def _tools(names: Sequence[str]) -> int:
    unknown = next((name for name in names if name not in tools.PROGRAMS), None)
    if unknown is not None:
        raise StackError(f"unknown program {unknown}: expected {', '.join((*tools.PROGRAMS, *PROVIDERS))}")
    for name, path in tools.fetch(names or tools.STACK_PROGRAMS).items():
        print(tools.version_line(name, path))
    return 0


def _provided(provide: Provider) -> int:
    provide(install=_in_ci())
    return 0


def _viewer() -> int:
    try:
        viewer.build()
    except StackError as error:
        if _in_ci():
            raise
        # Without a network, everything that is here must start all the same.
        print(f"stack: /dashboard stays without its page: {error}", file=sys.stderr)
    return 0


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


if __name__ == "__main__":
    sys.exit(main())
