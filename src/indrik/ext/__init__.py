"""Optional parts, each for the users of one library, which the rest of indrik does not import.

`flask` is the command `flask indrik`, with `debugger` for its debugging mode. `session_interface` and
`server_session` are Flask's sessions on a store; users know them as `indrik.flask.Session`.
`werkzeug_environ` and `script_reloader` are what `indrik.werkzeug.run_simple` has beside a server.
"""
