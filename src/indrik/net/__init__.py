"""Addresses, listening sockets, and the mailboxes by which workers pass connections on.

The arbiter opens what is here before any fork, the engine uses it; nothing here knows HTTP. Start reading in
`listeners`. `addresses` is text and values only; `steering` has the kernel choose among the sockets of one
address (the setting `reuse_port`); `mailbox` is one worker's, for all the others to post to.
"""
