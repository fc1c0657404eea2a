"""Text that fills a disk: rows of recent entries are compressed, and this cannot be."""

from __future__ import annotations

import random
from functools import lru_cache


@lru_cache(maxsize=64)
def incompressible(characters: int) -> str:
    """*characters* of ASCII, the same ones each time, in which nothing repeats."""
    return random.Random(characters).randbytes((characters + 1) // 2).hex()[:characters]
