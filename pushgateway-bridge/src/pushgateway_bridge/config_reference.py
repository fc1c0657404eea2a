"""Writes docs/configuration.md from the declarations of the settings, so that no page is behind the code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pushgateway_bridge import config as settings
from pushgateway_bridge.config import (
    ALIASES,
    SECTIONS,
    RemoteConfig,
    RemoteTlsConfig,
    Section,
    environment_name,
    setting_default,
    setting_names,
)
from pushgateway_bridge.config_rules import RELOADED
from pushgateway_bridge.render_config import ALIASES as RENDERED_ALIASES

HEAD: Final = """# Configuration of the push bridge

<!-- Written by `make reference` from the code. Change the docstrings and help texts there. -->

A setting is a key of the YAML file that `--config.file` names (`section:`, then `key:`), a flag `--section.key`, and an
environment variable. A flag wins over the environment, that over an alias, that over the file, that over the default.
`pushgateway-bridge check-config` says what is wrong with them and what they mean; an unknown key is an error that
names the nearest known one.

In flags and environment variables the underscores of a key are written as in the examples below, and what is more than
a word (a list, a mapping) is YAML: `--access.trusted-proxies '[10.0.0.0/8]'`. Secrets never stand in a setting: those
end in `_file` and name a file.

Settings marked *reload* take effect at `SIGHUP` or `POST /-/reload`; the others at the next start.
"""


def page(help_texts: Mapping[str, str]) -> str:
    """The page. *help_texts* has a line for each setting."""
    return "\n".join([HEAD, *_sections(help_texts), *_remote(), *_aliases()])


def _sections(help_texts: Mapping[str, str]) -> Iterator[str]:
    done: set[str] = set()
    for setting in setting_names():
        section = setting.rpartition(".")[0]
        if section in done and section:
            continue
        done.add(section)
        title = section or setting
        yield f"## {title}\n"
        if section:
            yield f"{inspect.getdoc(SECTIONS[section])}\n"
        yield "| Setting | Default | Meaning |\n|---|---|---|"
        for name in setting_names():
            if name == setting or (section and name.rpartition(".")[0] == section):
                reload = " *reload*" if name in RELOADED else ""
                variable = environment_name(name)
                yield f"| `{name}`<br>`{variable}` | {_default(name)} | {help_texts[name]}{reload} |"
        yield ""


def _default(setting: str) -> str:
    value = setting_default(setting)
    return "empty" if value in ("", (), {}) else f"`{value}`"


def _remote() -> Iterator[str]:
    yield "## An entry of remote_write.remotes\n"
    yield "[Remote write](remote-write.md) has examples.\n"
    yield "| Key | Default | Meaning |\n|---|---|---|"
    yield from _keys(RemoteConfig, "")
    yield from _keys(RemoteTlsConfig, "tls.")
    yield ""


def _keys(kind: type[Section], prefix: str) -> Iterator[str]:
    texts = _attribute_docs(kind)
    for field in msgspec.structs.fields(kind):
        if field.name == "tls":
            continue
        if field.required:
            default = "must be set"
        else:
            value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            default = "empty" if value in ("", {}) else f"`{value}`"
        yield f"| `{prefix}{field.name}` | {default} | {texts[field.name]} |"


def _attribute_docs(kind: type[Section]) -> dict[str, str]:
    """The string behind each attribute of a class, as one line."""
    [tree] = [
        node
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    ]
    texts = {}
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            texts[node.target.id] = " ".join(str(after.value.value).split())
    return texts


def _aliases() -> Iterator[str]:
    yield "## Names that other systems have for the same\n"
    yield "Environment variables only; the log names each one that is used.\n"
    yield "| Name | Setting | Meaning |\n|---|---|---|"
    for name, alias in ALIASES.items():
        yield f"| `{name}` | `{alias.setting}` | {alias.meaning} |"
    yield ""
    yield "`render-config` knows them for settings of `.env`:\n"
    yield "| Name | Setting |\n|---|---|"
    for setting, name in RENDERED_ALIASES.items():
        yield f"| `{name}` | `{setting}` |"
    yield ""
