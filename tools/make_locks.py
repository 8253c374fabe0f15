"""Write ``locks/*.txt``: exact versions with hashes of everything that a checkout's set-up installs.

Run by ``make lock``, which has uv in an environment of its own. A version that a lock already holds
stays while ``pyproject.toml`` admits it; ``--upgrade`` takes the newest, ``--upgrade-package NAME`` one
of them. Each lock holds for every Python and platform that is named in ``check_locks.py``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from check_locks import (
    EVERYTHING,
    FROM_SOURCE,
    LOCKS,
    OLDEST_PYTHON,
    ROOT,
    build_requirements,
    lock_path,
)

# The environments that locks are made and audited from.
TOOLS = {"lock": ["uv", "packaging"], "audit": ["pip-audit"]}
HEAD = """\
# Made by `make lock`.
--only-binary :all:
"""


def compile_lock(path: Path, *inputs: str, wanted: list[str]) -> None:
    """Have uv resolve one lock from inputs and lines of requirements, from wheels alone."""
    built = [option for package in FROM_SOURCE for option in ("--no-binary", package)]
    path.touch()
    subprocess.run(
        [
            str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", *inputs,
            "--universal", "--python-version", OLDEST_PYTHON, "--fork-strategy", "fewest",
            "--generate-hashes", "--only-binary", ":all:", *built,
            "--no-emit-index-url", "--no-config", "--no-annotate", "--no-header", "--quiet",
            "--output-file", str(path),
        ],
        cwd=ROOT,
        input="\n".join(wanted),
        text=True,
        check=True,
    )  # fmt: skip
    pins = path.read_text(encoding="utf-8")
    exceptions = [f"--no-binary {one}\n" for one in FROM_SOURCE if f"\n{one}==" in pins]
    # pip reads these in order: the exception has to follow the rule.
    path.write_text(HEAD + "".join(exceptions) + "\n" + pins, encoding="utf-8")


def main(options: list[str]) -> None:
    """Write every lock; options go to uv where versions are chosen."""
    (ROOT / "locks").mkdir(exist_ok=True)
    for name, packages in TOOLS.items():
        compile_lock(ROOT / "tools" / f"{name}-requirements.txt", *options, wanted=packages)
    whole = lock_path(EVERYTHING)
    for name, extras in LOCKS.items():  # the whole comes first
        chosen = options if name == EVERYTHING else ["--constraints", str(whole)]
        inputs = ["pyproject.toml", *(f"--extra={extra}" for extra in extras), *chosen]
        if name != EVERYTHING:
            lock_path(name).unlink(missing_ok=True)
        compile_lock(lock_path(name), *inputs, wanted=build_requirements())


if __name__ == "__main__":
    main(sys.argv[1:])
