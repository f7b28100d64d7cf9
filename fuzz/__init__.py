"""Fuzzing: what strangers may send and applications may give, in forms that nobody thought of.

One module for each grammar; its first line is what must hold whatever the input. A harness is a module with
`check(data)`, which raises when that is broken and else returns the outcome as text (the same on both
builds), `SEEDS` to begin with and `WORDS` of the grammar. `python -m fuzz` runs them; see README.md.
"""
