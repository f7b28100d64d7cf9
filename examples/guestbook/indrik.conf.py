"""How indrik serves the guestbook.

It is read because it lies in the folder that indrik is started in. The command line goes before it.
"""

# Processes that serve requests at the same time. SQLite takes one writer at a time, so many do not help.
workers = 2

# One line a request, on standard output.
accesslog = "-"

# A worker that is stuck in one request for longer than this many seconds is replaced.
timeout = 30

# Seconds that running requests have when the server is stopped.
graceful_timeout = 10

# Others to try:
# bind = ["127.0.0.1:8000", "[::1]:8000"]  # where to listen; also "unix:guestbook.sock"
# preload_app = True                       # load the application once, before the workers are forked
# max_requests = 1000                      # replace a worker after that many requests
# errorlog = "guestbook.log"               # instead of standard error
