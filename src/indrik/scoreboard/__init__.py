"""The scoreboard: one shared mapping, one fixed slot a worker, so that liveness and diagnosis need no file,
socket or reply.

The arbiter makes it before any fork; every process maps the same pages. A slot has one writer, the worker
that holds it; the arbiter clears it before a worker gets it and writes `order` alone while the worker lives.
Readers are anywhere and take no lock: each value is one aligned 8-byte word, which x86-64 and AArch64 store
and load whole. The request's text can be torn by a reader that races with `begin`; it is only ever shown to
people.

Start reading in `layout`, which says where each value lies. `slot` is a worker's place, `neighbour` what its
siblings see of it, `board` all of them and the master's own record, `totals` what was counted.
"""
