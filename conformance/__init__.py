"""Measures, point by point, what indrik and other servers make of HTTP; docs/reference/http.md shows it."""
