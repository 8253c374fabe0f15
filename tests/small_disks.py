"""A small disk for one command: it sees a folder as a file system of its own, nobody else does."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["can_mount", "on_small_disk"]


def can_mount() -> bool:
    """Return whether this user may mount a file system in a name space of his own."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def on_small_disk(folder: Path, size: str, *prepare: str) -> list[str]:
    """Return what stands before a command for which a folder is a disk, prepared by lines of shell."""
    steps = [f"mount -t tmpfs -o size={size} none {folder}", *prepare, 'exec "$@"']
    return ["unshare", "-rm", "sh", "-c", " && ".join(steps), "-"]
