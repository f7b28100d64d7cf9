"""Instructions a request by stage, counted by valgrind's callgrind, and what each may cost: `make budget`.

`stages` is the table of stages, `profile` reads callgrind's files, `run` makes them, `page` writes the
tables of docs/explanation/performance.md, `budgets.json` holds what each stage may cost.
"""
