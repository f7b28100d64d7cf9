"""indrik inside of a program: `run` serves until it is told to stop, `serve` and `Server` in an event loop
that is running already.

`run` is the command without a command line: a master, workers, signals. `serve` and `Server` have neither
master nor worker process and touch no signal; what concerns processes is refused. They are apart, because a
master imports no worker's code: start reading in `command` for the one, in `server` for the others;
`keywords` makes settings of the arguments of both. Programs find them as `indrik.run`, `indrik.serve` and
`indrik.Server`.
"""
