"""The kind of machine a run was made on. Never its name: a published table should not tell whose machine it
was.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """`cpus` counts what this process may use; `virtual` says that the processor reports a hypervisor."""

    processor: str
    cpus: int
    virtual: bool
    kernel: str
    python: str

    @property
    def text(self) -> str:
        """One line for a reader."""
        kind = "virtual machine" if self.virtual else "machine"
        return f"{kind} with {self.cpus} CPUs ({self.processor}), {self.kernel}, {self.python}"


def parse_cpuinfo(text: str) -> tuple[str, bool]:
    """The processor's model name and whether it runs under a hypervisor, from /proc/cpuinfo."""
    model, virtual = "", False
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name" and not model:
            model = value
        elif key == "flags":
            virtual = virtual or "hypervisor" in value.split()
    return model or platform.machine(), virtual


def describe() -> Machine:
    """This machine."""
    processor, virtual = parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    # The release's tail often names a builder or a provider.
    release = ".".join(platform.release().split("-")[0].split(".")[:2])
    return Machine(
        processor=processor,
        cpus=len(os.sched_getaffinity(0)),
        virtual=virtual,
        kernel=f"{platform.system()} {release}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )
