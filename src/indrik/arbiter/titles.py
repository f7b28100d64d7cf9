"""The process title, as ps shows it: with the package setproctitle where it is installed, otherwise
unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

set_title: Callable[[str], None]

try:
    from setproctitle import setproctitle
except ImportError:

    def set_title(title: str) -> None:
        """Nothing can be done without the package."""
else:

    def set_title(title: str) -> None:
        """Show `title`."""
        setproctitle(f"indrik: {title}")
