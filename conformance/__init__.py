"""Measures, point by point, what indrik and other servers make of HTTP; docs/reference/http.md shows it.

`rows` is the table of points; `python -m conformance` measures them, on servers that `servers` names and
`process` starts. `page` makes the document. A test holds indrik to its column. See README.md.
"""
