"""The stack that is measured: our bridge, Debian's Prometheus and Alertmanager, all as native mode sets them up."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from bench.alerts import targets
from bench.servers import ADDRESS, PROMISED_PORTS, Server, ServerFailed, free_port
from stack import folder, parts
from stack.configuration import write_configuration
from stack.settings import CHECKOUT, Settings, load_settings
from tests.stack.alerts.services import BOT_TOKEN, CHAT, Answer, Post, Telegram, serving

HOLD: Final = re.compile(r"(?m)^( +)for: \w+$")
UNITS: Final = {"s": 1, "m": 60, "h": 3600}


class Message(NamedTuple):
    """One that the chat got."""

    at: float
    """By the monotonic clock, when its request was answered."""
    text: str


class Chat(Telegram):
    """The double of the Bot API, which notes when a message came."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        told = self.answer

        def answer(post: Post) -> Answer:
            given = told(post)
            if given.status == 200:
                self.messages.append(Message(time.monotonic(), self.texts[-1]))
            return given

        self.answer = answer


class Stack(NamedTuple):
    """What runs, and whom it tells."""

    bridge: Server
    prometheus: Server
    chat: Chat
    rules: Path
    """The folder that Prometheus reads, with the rules that it evaluates."""


def seconds_of(duration: str) -> int:
    """Of ``1h30m``."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def holds(rules: Path) -> dict[tuple[str, str], int]:
    """Seconds for which each alert of *rules* waits, by its name and severity."""
    return {
        (rule["alert"], rule["labels"]["severity"]): seconds_of(rule.get("for", "0s"))
        for path in sorted(rules.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def shorten_holds(rules: Path) -> None:
    """Have every alert of *rules* that waits wait for QUICK_HOLD instead."""
    for path in rules.glob("*.yml"):
        shortened = HOLD.sub(rf"\1for: {targets.QUICK_HOLD}", path.read_text(encoding="utf-8"))
        path.write_text(shortened, encoding="utf-8")


@contextmanager
def running(directory: Path, programs: Mapping[str, Path], *, quick: bool) -> Iterator[Stack]:
    """All parts from the moment they are ready. What differs from `make up`: the chat is our double.

    With *quick* alerts wait for QUICK_HOLD. Raises ServerFailed or StackError if a part does not start.
    """
    ports = {part: free_port(PROMISED_PORTS) for part in ("bridge", "prometheus", "alertmanager")}
    settings = _settings(directory, ports)
    chat = Chat()
    with ExitStack() as entered:
        entered.enter_context(serving(chat))
        wanted = [part for part in parts.native_parts(settings, programs, None) if part.name in ports]
        write_configuration(settings, programs, {part.name: part.address for part in wanted})
        _point_at(chat, settings.directory / "config/alertmanager/alertmanager.yml")
        rules = settings.directory / "config/prometheus/rules"
        if quick:
            shorten_holds(rules)
        environment = {parts.DELIVERY: parts.delivery_of(settings, programs["prometheus"])}
        servers: dict[str, Server] = {}
        for part in wanted:
            folder.make_data_folder(settings.directory, part.name)
            server = Server(
                part.name, part.command, directory / f"{part.name}.log", environment, ports[part.name]
            )
            servers[part.name] = entered.enter_context(server)
        yield Stack(servers["bridge"], servers["prometheus"], chat, rules)


@contextmanager
def prometheus_over(directory: Path, programs: Mapping[str, Path], target: str) -> Iterator[Server]:
    """Prometheus with the shipped configuration, scraping *target* in the bridge's place, and nothing else."""
    port = free_port(PROMISED_PORTS)
    settings = _settings(directory, {"prometheus": port})
    [part] = [one for one in parts.native_parts(settings, programs, None) if one.name == "prometheus"]
    write_configuration(settings, programs, {"bridge": settings.addresses["bridge"]})
    configuration = settings.directory / "config/prometheus"
    (configuration / "targets/bridge.yml").write_text(json.dumps([{"targets": [target]}]), encoding="utf-8")
    folder.make_data_folder(settings.directory, part.name)
    server = Server(part.name, part.command, directory / "prometheus.log", port=port)
    with server:
        yield server


def _settings(directory: Path, ports: Mapping[str, int]) -> Settings:
    """Those of a stack in *directory* that reads no `.env`: that may hold real receivers."""
    return load_settings(
        {
            "PATH": os.environ["PATH"],
            **{f"{part.upper()}_ADDRESS": f"{ADDRESS}:{port}" for part, port in ports.items()},
            "STACK_DIR": str(directory / "stack"),
            "STACK_ENV_FILE": os.devnull,
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_CHAT_ID": str(CHAT),
        },
        CHECKOUT,
    )


def _point_at(chat: Chat, rendered: Path) -> None:
    """Give the Telegram receiver of *rendered* the address of *chat*, which cannot be set."""
    config: Any = yaml.safe_load(rendered.read_text(encoding="utf-8"))
    [telegram] = [one for one in config["receivers"] if one["name"] == "telegram"]
    telegram["telegram_configs"][0]["api_url"] = chat.url()
    rendered.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def wait_for(what: str, done: Callable[[], bool], seconds: float, meanwhile: Callable[[], None]) -> None:
    """Call *meanwhile* until *done*. Raises ServerFailed, naming *what*, after *seconds*."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what}: not within {seconds:.0f} s")
        meanwhile()
