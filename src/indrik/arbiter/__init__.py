"""The arbiter: the master process that starts, watches, renews and stops the workers. It never touches a
client's bytes.

Only `indrik.app` makes one. Start reading in `arbiter`, the loop and the signals, and go on with `staff`,
which looks after the workers, and `plan`, the pure function that decides. `nursery` and `preloader` fork,
and what follows in the new process is `offspring`; `roster` is what the master knows of each worker,
`obituary` what it says of a dead one. `reload` (HUP) and `handover` (USR2) are the two changes of the
whole; `generation` is what they change between. `hooks` calls what the configuration has for all of that.
"""

from __future__ import annotations

from indrik.arbiter.arbiter import Arbiter

__all__ = ["Arbiter"]
