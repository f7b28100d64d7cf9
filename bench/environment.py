"""What a run needs beyond this repository: wrk, the peers in a virtual environment of their own, and a built
indrik.

Safe to run again and again; it does nothing where nothing is missing.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench import nginx
from bench.apps import FILE
from bench.exchange import HOST
from bench.serverrow import NGINX, Server
from bench.servers import target

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-bench"
INDRIK = ROOT / ".venv"
NATIVE = Path(__file__).with_name("native")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")

# What answers "is it there?" and the Debian package that brings it. bjoern is compiled against libev's
# header.
PACKAGES: dict[str, str] = {"wrk": "wrk", "/usr/include/ev.h": "libev-dev", "gcc": "gcc"}


# What a build says of a setting, or an option, that only a later one has.
NOT_YET = ("not supported yet", "unrecognized arguments")


class Missing(Exception):
    """Something is missing that this program cannot get by itself; the text says what to do."""


def places() -> dict[str, str]:
    """Where the servers' commands find their programs."""
    return {
        "root": str(ROOT),
        "peers": str(PEERS / "bin"),
        "packages": packages(PEERS),
        "indrik": str(INDRIK / "bin"),
        "files": str(PEERS / "files"),
    }


def packages(venv: Path) -> str:
    """Where a virtual environment of this Python keeps its packages."""
    return str(venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages")


def prepare() -> None:
    """Everything but indrik itself. Missing if that fails."""
    prepare_system()
    prepare_peers()
    prepare_files()
    compile_programs(PEERS / "bin")


def prepare_system(packages: Mapping[str, str] = PACKAGES) -> None:
    """wrk and libev, or other packages: installed by apt-get when this is root, else Missing names them."""
    if not shutil.which("taskset"):
        raise Missing("taskset is missing: install the package util-linux")
    wanted = missing_packages(packages)
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"install {' and '.join(wanted)} first (Debian: sudo {' '.join(command)})")
    say(f"installing {', '.join(wanted)} (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, capture_output=True, env=environment, check=False).returncode != 0:
        run(["apt-get", "update"], env=environment)  # the lists of a fresh machine are empty or old
        run(command, env=environment)
    if missing_packages(packages):
        raise Missing(f"apt-get installed {' and '.join(wanted)}, yet they are not found")


def missing_packages(packages: Mapping[str, str]) -> list[str]:
    """The Debian packages that bring what is not there."""
    return [package for mark, package in packages.items() if not (shutil.which(mark) or Path(mark).exists())]


def prepare_peers() -> None:
    """The peers at the versions of requirements.txt, under the Python that runs this."""
    mark = PEERS / "complete"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return
    say(f"installing the peers into {PEERS.name}")
    shutil.rmtree(PEERS, ignore_errors=True)
    # Of the Python behind a virtual environment, not of the environment: its packages are not the peers'
    # business.
    run(
        [
            str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")),
            "-m",
            "venv",
            str(PEERS),
        ]
    )
    run(
        [
            str(PEERS / "bin" / "pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(REQUIREMENTS),
        ]
    )
    mark.write_text(wanted, encoding="utf-8")


def prepare_files() -> None:
    """The folder that the rows of files serve. The file is old, as files of a site are."""
    index = PEERS / "files" / "index.html"
    index.parent.mkdir(exist_ok=True)
    index.write_bytes(FILE)
    os.utime(index, (1e9, 1e9))


def compile_programs(folder: Path) -> None:
    """The floor and the loads, each from its one C file, where they are older than it or missing."""
    for source in sorted(NATIVE.glob("*.c")):
        program = folder / source.stem
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), "-lm"])


def check_servers(servers: Iterable[Server], where: Mapping[str, str]) -> dict[str, str]:
    """Name -> what it says, of the rows that this build of indrik refuses to run because it has not learnt
    them yet, or that this machine has no nginx for. Missing unless each row's program is there, and indrik's
    rows are the builds that they claim to be.
    """
    refused = {}
    for server in servers:
        if server.name.startswith(NGINX) and not nginx.is_installed():
            refused[server.name] = "it is not installed (Debian: nginx-light)"
            continue
        # With the options for a crowd, so that one that is not known is found now and not in half an hour.
        argv = server.argv({**where, "host": HOST, "port": "0", "app": target(server, "hello")}, crowded=True)
        if not Path(argv[0]).exists():
            raise Missing(
                f"{server.name}: {os.path.relpath(argv[0], ROOT)} is missing; `make build` makes it"
            )
        if server.reports_build:
            check_python(server, Path(argv[0]).with_name("python"))
            check_build(server, argv, where)
            if reason := refusal(server, argv, where):
                refused[server.name] = reason
    return refused


def check_python(server: Server, python: Path) -> None:
    """Missing unless the row's Python is the one that the peers run under, which is this one."""
    theirs = run([str(python), "-c", "import sys; print(sys.version)"]).strip()
    if theirs != sys.version:
        raise Missing(
            f"{server.name} runs under Python {theirs.split()[0]}, the peers under {sys.version.split()[0]}: "
            "run this with the Python that .venv was made from"
        )


def program(server: Server, argv: Sequence[str]) -> list[str]:
    """The words of a row's command that start the program, before its first option."""
    options = [place for place, word in enumerate(argv) if word.startswith("-") and word != "-m"]
    return list(argv[: options[0]])


def variables(server: Server, where: Mapping[str, str]) -> dict[str, str]:
    """The environment of a row's command when nothing is measured."""
    return {**os.environ, "PYTHONPATH": where["root"], **server.environment(where)}


def refusal(server: Server, argv: Sequence[str], where: Mapping[str, str]) -> str:
    """Why this build of indrik does not run the row, in its own words; nothing if it does.

    Missing if it does not for another reason than that it is too young: that is for a person to look at.
    """
    command = [*argv, "--check-config"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables(server, where), cwd=ROOT, check=False
    )
    if done.returncode == 0:
        return ""
    said = (done.stdout + done.stderr).strip()
    if not any(mark in said for mark in NOT_YET):
        raise Missing(f"{server.name}: {' '.join(command)} failed:\n{said[-1500:]}")
    return said.splitlines()[-1]


def check_build(server: Server, argv: Sequence[str], where: Mapping[str, str]) -> None:
    """Missing unless the command says that it is the row's build."""
    text = run([*program(server, argv), "--version"], env=variables(server, where)).strip()
    if server.reports_build not in re.findall("[a-z]+", text):
        raise Missing(
            f"{server.name}: --version should say {server.reports_build!r}, but says {text[-300:]!r}"
        )


def versions(servers: Sequence[Server]) -> dict[str, str]:
    """The version of each row's package."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    peers = json.loads(run([str(PEERS / "bin" / "python"), "-c", code]))
    found: dict[str, str] = {}
    for server in servers:
        if server.package == "indrik":
            env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            found[server.name] = run(
                [sys.executable, "-c", "import indrik; print(indrik.__version__)"], env
            ).strip()
        elif server.name.startswith(NGINX):
            found[server.name] = nginx.version()
        else:
            found[server.name] = peers[server.package] if server.package else ""
    return found


def wrk_version() -> str:
    """As wrk says it."""
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return " ".join((said.stdout + said.stderr).split()[:2])


def allow_files(count: int) -> None:
    """Let this process and its servers have so many open files. Missing if the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Missing(
            f"{count} open files are needed and the hard limit is {hard}: raise it (ulimit -Hn, as root)"
        )
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def run(argv: list[str], env: dict[str, str] | None = None) -> str:
    """The command's output. Missing with the end of what it said if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise Missing(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout


def say(text: str) -> None:
    """A line for the person who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
