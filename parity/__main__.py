"""`python -m parity`."""

import typer

from parity.cli import main

typer.run(main)
