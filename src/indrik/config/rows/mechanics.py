"""Rows: how the server runs as a process: directory, environment, user, files, PasteDeploy."""

from __future__ import annotations

import os

from indrik.config.kinds import FileMode, Flag, Text, Whole
from indrik.config.lists import Assignments, FileRoots, StaticDirectories, TextList
from indrik.config.resolved import DeployFile, Directory, ExistingFile, Group, User, current_directory
from indrik.config.setting import FromEnvironment, Setting

SECTION = "Server Mechanics"

ROWS = (
    Setting(
        name="preload_app",
        section=SECTION,
        flags=("--preload",),
        kind=Flag(),
        default=False,
        help="Load the application once, in a process of its own from which the workers are then forked: "
        "they start at once and share its memory. A reload loads it anew. Connections and threads that it "
        "makes while loading do not survive the fork.",
    ),
    Setting(
        name="sendfile",
        section=SECTION,
        flags=("--no-sendfile",),
        kind=Flag(const=False),
        default=None,
        environment=FromEnvironment("SENDFILE", true_words=("y", "1", "yes", "true")),
        help="Whether files are sent with sendfile(2). It is on unless this, or the environment, says "
        "otherwise.",
    ),
    Setting(
        name="x_sendfile_roots",
        section=SECTION,
        flags=("--x-sendfile-root",),
        kind=FileRoots(),
        metavar="DIR",
        default=[],
        own=True,
        help="Directory of files that a WSGI application may name in `X-Sendfile` or `X-Accel-Redirect` "
        "instead of sending them; may be given repeatedly. indrik sends such a file itself, in ranges if the "
        "client wants, and the application is done at once. A file is found below the directory without "
        "following symbolic links, else the answer is 404. With `PREFIX=DIR`, `X-Accel-Redirect` names "
        "`PREFIX/name`. Without any the two fields are passed on to the client.",
    ),
    Setting(
        name="static",
        section=SECTION,
        flags=("--static",),
        kind=StaticDirectories(),
        metavar="auto|PREFIX=DIR",
        default=None,
        own=True,
        help="Files that the server sends itself, without the application, in every worker kind: a table of "
        'URL prefixes and directories, `{"/media": "/srv/media"}`, or `auto` for the static folders of a '
        "Flask application and its blueprints. On the command line `--static PREFIX=DIR` may be given "
        "repeatedly. GET and HEAD only; ranges and conditions count; of `.br`, `.zst` and `.gz` beside a "
        "file, not older than it, the client gets what it likes best. In a mapping a directory is answered "
        "by its `index.html`, never by a listing, and names with a dot in front are left out, except "
        "`.well-known`. Symbolic links below a directory are not followed. A path at which there is nothing "
        "is the application's. A change shows within one second. The application's own functions, its "
        "middleware and the request hooks see nothing of such a request: whoever knows the path gets the "
        "file.",
    ),
    Setting(
        name="static_max_age",
        section=SECTION,
        flags=("--static-max-age",),
        kind=Whole(),
        metavar="INT",
        default=None,
        own=True,
        help="Seconds for which caches may use a file of a `static` mapping without asking again. Unset, "
        'they ask each time (`Cache-Control: no-cache`). With `static = "auto"` Flask\'s '
        "`SEND_FILE_MAX_AGE_DEFAULT` counts instead.",
    ),
    Setting(
        name="framework_config",
        section=SECTION,
        flags=("--no-framework-config",),
        kind=Flag(const=False),
        default=True,
        own=True,
        help="Do for a Flask application what its own configuration says: refuse a body above "
        "`MAX_CONTENT_LENGTH` with 413 before it is read and a host outside `TRUSTED_HOSTS` with 400, take "
        "`PREFERRED_URL_SCHEME` where a trusted proxy tells none, and note each request's `url_rule` for the "
        "access log. The flag leaves all that to Flask, as for an application that raises the limit of a "
        "single view.",
    ),
    Setting(
        name="reuse_port",
        section=SECTION,
        flags=("--reuse-port",),
        kind=Flag(),
        default=False,
        help="Let each worker have sockets of its own with `SO_REUSEPORT`, so that the kernel spreads "
        "connections.",
    ),
    Setting(
        name="chdir",
        section=SECTION,
        flags=("--chdir",),
        kind=Directory(),
        default="the directory the server is started in",
        make_default=current_directory,
        help="Directory to enter before the application is loaded; it is also the first place modules are "
        "sought in.",
    ),
    Setting(
        name="daemon",
        section=SECTION,
        flags=("-D", "--daemon"),
        kind=Flag(),
        default=False,
        help="Leave the terminal and go on in the background. The command ends when the server has started, "
        "with status 1 if it could not. Under systemd or another supervisor leave it off.",
    ),
    Setting(
        name="raw_env",
        section=SECTION,
        flags=("-e", "--env"),
        kind=Assignments(),
        metavar="ENV",
        default=[],
        help="Environment variable for the master and its workers, as `KEY=VALUE`; may be given repeatedly.",
    ),
    Setting(
        name="env_file",
        section=SECTION,
        flags=("--env-file",),
        kind=ExistingFile(),
        metavar="FILE",
        default=None,
        own=True,
        help="File with environment variables for the master and its workers, `KEY=VALUE` a line, read by "
        "the package python-dotenv. Variables that exist already, and `raw_env`, go before it. A reload "
        "reads it again. The server's own settings are not taken from it.",
    ),
    Setting(
        name="pidfile",
        section=SECTION,
        flags=("-p", "--pid"),
        kind=Text(),
        metavar="FILE",
        default=None,
        help="File to write the master's process id to. The server does not start if it names a live "
        "process.",
    ),
    Setting(
        name="worker_tmp_dir",
        section=SECTION,
        flags=("--worker-tmp-dir",),
        kind=Text(),
        metavar="DIR",
        default=None,
        help="Accepted so that old configurations load; changes nothing. Workers give their signs of life "
        "through shared memory, so there are no files that a slow disk could hold up.",
    ),
    Setting(
        name="user",
        section=SECTION,
        flags=("-u", "--user"),
        kind=User(),
        metavar="USER",
        default="the user who starts the server",
        make_default=os.geteuid,
        help="User, by name or number, whom the workers run as. The master keeps its own.",
    ),
    Setting(
        name="group",
        section=SECTION,
        flags=("-g", "--group"),
        kind=Group(),
        metavar="GROUP",
        default="the group of who starts the server",
        make_default=os.getegid,
        help="Group, by name or number, that the workers run as. The master keeps its own.",
    ),
    Setting(
        name="umask",
        section=SECTION,
        flags=("-m", "--umask"),
        kind=FileMode(),
        metavar="INT",
        default=0,
        help="Permissions that new files never get, unix sockets included. A number, or text such as `022` "
        "(octal), `0o22` or `0x12`.",
    ),
    Setting(
        name="initgroups",
        section=SECTION,
        flags=("--initgroups",),
        kind=Flag(),
        default=False,
        help="Give the workers all the groups that their user belongs to.",
    ),
    Setting(
        name="tmp_upload_dir",
        section=SECTION,
        kind=Text(),
        metavar="DIR",
        default=None,
        help="Directory for the temporary files of large request bodies and of responses to slow clients; "
        "without it the system's.",
    ),
    Setting(
        name="pythonpath",
        section=SECTION,
        flags=("--pythonpath",),
        kind=Text(),
        metavar="STRING",
        default=None,
        help="Directories, between commas, to put in front of the places modules are sought in.",
    ),
    Setting(
        name="paste",
        section=SECTION,
        flags=("--paste", "--paster"),
        kind=DeployFile(),
        metavar="STRING",
        default=None,
        help="PasteDeploy file that holds the application, with `#SECTION` for one other than `main`; it "
        "goes before an application named in another way. Needs the extra `paste`. `[loggers]` in it is used "
        "as `logconfig`. Its `[server:main]` is read only if it says `use = egg:indrik#main`, as the "
        "description of 2016 has it; for any other server's it is left alone, as in Gunicorn 27, so that an "
        "address meant for another server is never opened. Configuration file and command line override it.",
    ),
    Setting(
        name="raw_paste_global_conf",
        section=SECTION,
        flags=("--paste-global",),
        kind=TextList(),
        metavar="CONF",
        default=[],
        help="Global setting for PasteDeploy, as `KEY=VALUE`, with `\\=` for an equals sign in the key; may "
        "be given repeatedly. Factories get it, and `%(KEY)s` in the file stands for it unless `[DEFAULT]` "
        "has that key.",
    ),
)
