"""`python -m indrik`: the same command as the `indrik` script."""

from __future__ import annotations

from indrik.app.wsgiapp import run

if __name__ == "__main__":
    # argparse would otherwise call the program "__main__.py".
    run(prog="indrik")
