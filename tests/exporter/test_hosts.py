"""The host trees are read as they are committed: nothing in them depends on where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

TREES = ("baremetal", "cloudvm", "container", "odd", "plain")


@pytest.fixture(params=TREES)
def tree(request: pytest.FixtureRequest, hosts: Path) -> Path:
    return hosts / str(request.param)


def entries(tree: Path) -> Iterator[Path]:
    """All files, folders and links; links are not followed, since some lead round in circles."""
    for folder, folders, files in os.walk(tree):
        yield from (Path(folder) / name for name in (*folders, *files))


def test_each_link_leads_to_something_in_its_tree(tree: Path) -> None:
    links = [path for path in entries(tree) if path.is_symlink()]

    astray = [
        str(link.relative_to(tree))
        for link in links
        if link.readlink().is_absolute()
        or not link.exists()
        or not link.resolve().is_relative_to(tree.resolve())
    ]

    assert astray == []


def test_no_folder_is_empty_as_git_would_lose_it(tree: Path) -> None:
    empty = [str(path) for path in entries(tree) if path.is_dir() and not any(path.iterdir())]

    assert empty == []
