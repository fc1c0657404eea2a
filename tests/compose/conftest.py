"""The container tests run only when this folder is named on the command line: they need root, and minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import standins
from tests.compose.engine import Engine, install_packages, install_podman_compose, start_engine, why_not_here
from tests.compose.running import IMAGES

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """True leaves this folder out; None lets pytest decide as usual."""
    named = (
        Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args
    )
    return None if any(path.is_relative_to(HERE) for path in named) else True


@pytest.fixture(scope="session")
def engine(repository: Path) -> Iterator[Engine]:
    """podman with the stand-ins and our two images, built from our Dockerfiles."""
    if reason := why_not_here():
        pytest.skip(reason)
    install_packages()
    cache = repository / "build/compose"
    cache.mkdir(parents=True, exist_ok=True)
    engine = start_engine(install_podman_compose(cache / "podman-compose"))
    try:
        standins.make_all(engine, repository, cache)
        for image, folder in IMAGES.items():
            engine.build(image, repository / folder / "Dockerfile", repository)
        yield engine
    finally:
        engine.close()
