"""Measurements of indrik beside its peers: what a request costs, and how a server bears strangers and crowds.

For the developer and the sceptic; the server itself never imports this package. Start reading at `__main__`;
the tables to add a row to are `servers` and `cases`.
"""
