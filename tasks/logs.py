"""The log of the run, where there is one."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError


def run_logger() -> logging.Logger | logging.LoggerAdapter[Any]:
    """The logger of the flow or task run that this thread belongs to; outside of one, an ordinary logger."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("hyperframes")
