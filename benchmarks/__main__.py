"""`python -m benchmarks`."""

import typer

from benchmarks.cli import main

typer.run(main)
