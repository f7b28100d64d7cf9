"""What runs a server: reading the configuration, finding and loading the application, starting the arbiter.

Command, Paste and embedding begin here, and users' own programs, which subclass `base.BaseApplication`. Start
reading in `base`; `wsgiapp` is the command and `wsgi_application` what it serves, `loader` finds
`module:name`, `pasterapp` and `pastefile` read files of PasteDeploy. A worker calls `wsgi()` of what stands
here, and so gets its application.
"""
