"""Waiting for a free place: long, at random, and no reason to fail a render."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0


def delays() -> Iterator[float]:
    """Seconds to wait before each further try, without end: full jitter below a ceiling that doubles up to a minute.

    After the "full jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    ceiling = FIRST_SECONDS
    while True:
        yield random.uniform(0, ceiling)
        ceiling = min(LONGEST_SECONDS, ceiling * 2)
