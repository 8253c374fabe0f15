"""Ask for advisories against every version that a lock pins.

Run by ``make audit``, which has pip-audit in an environment of its own. Exit code 0 says that every
pinned version of every platform was asked for and nothing is known; 1 that something is; 2 that it is
not known, since the service could not be asked for all of them. pip-audit's own exit code would not do:
a package that its service does not find is left out with exit code 0, and those of other platforms are
never asked for.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from check_locks import LOCKS, ROOT, Pin, lock_path, read_lock

OWN_LOCKS = ("lock", "audit")  # the environments that locks are made and audited from
REQUEST_SECONDS = 10
FAULTY, UNKNOWN = 1, 2
NOT_FOR_US: dict[
    str, str
] = {}  # advisories that do not concern how a package is used here, and why not


def pins_of(paths: list[Path]) -> list[Pin]:
    """Return every pinned version once, by name."""
    found = {
        (pin.name, pin.version): pin
        for path in paths
        for pin in read_lock(path.read_text(encoding="utf-8"))
    }
    return [found[key] for key in sorted(found)]


def rounds_of(pins: list[Pin]) -> list[list[Pin]]:
    """Return pins in groups without two versions of one package, which pip-audit refuses."""
    rounds: list[list[Pin]] = []
    for pin in pins:
        version = sum(other.name == pin.name for group in rounds for other in group)
        if version == len(rounds):
            rounds.append([])
        rounds[version].append(pin)
    return rounds


def ask(pins: list[Pin], service: str | None, seconds: float) -> list[dict[str, object]] | str:
    """Return pip-audit's line for each pin, or a sentence why it has none."""
    ends = time.monotonic() + seconds
    lines: list[dict[str, object]] = []
    for group in rounds_of(pins):
        try:
            done = pip_audit(group, service, max(ends - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            return f"it did not answer for all within {seconds:g} s"
        try:
            lines += json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError, TypeError):
            told = done.stderr.strip().splitlines()
            return cause(told[-1]) if told else f"pip-audit ended with {done.returncode}"
    return lines


def pip_audit(
    pins: list[Pin], service: str | None, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run pip-audit on pins without their markers: those of every platform are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins))
        command = [
            sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv",
            "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off",
            "--timeout", str(REQUEST_SECONDS), "--requirement", str(file),
            *(["--osv-url", service] if service else []),
            *(option for advisory in NOT_FOR_US for option in ("--ignore-vuln", advisory)),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)


def cause(line: str) -> str:
    """Return the innermost cause that requests wraps into one line."""
    found = re.search(r"\(Caused by (\w+)\(.*?: (.*)\)\)$", line)
    return f"{found[2].strip(chr(34))} ({found[1]})" if found else line


def verdict(pins: list[Pin], lines: list[dict[str, object]] | str) -> tuple[int, list[str]]:
    """Return the exit code and what to say."""
    if isinstance(lines, str):
        return UNKNOWN, [
            f"Nothing is known of {len(pins)} packages: the advisory service failed: {lines}"
        ]
    known = [
        f"{line['name']} {line['version']}: {one['id']}, "
        f"mended in {', '.join(one['fix_versions']) or 'no release'}."
        for line in lines
        for one in line.get("vulns", [])  # type: ignore[attr-defined]
    ]
    answered = {(line["name"], line.get("version")) for line in lines if "vulns" in line}
    silent = [
        f"{pin.name} {pin.version}" for pin in pins if (pin.name, str(pin.version)) not in answered
    ]
    if silent:
        known.append(
            f"Nothing is known of {len(silent)} packages, which the service left out: "
            f"{', '.join(silent)}."
        )
        return UNKNOWN, known
    if known:
        return FAULTY, known
    return 0, [f"No advisory is known against any of {len(pins)} pinned versions."]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--service", help="address of another service that answers as OSV's query does"
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long the whole may take")
    parser.add_argument(
        "files", nargs="*", type=Path, help="lock files; those of the project by default"
    )
    arguments = parser.parse_args()
    ours = [
        *map(lock_path, LOCKS),
        *(ROOT / "tools" / f"{name}-requirements.txt" for name in OWN_LOCKS),
    ]
    asked = pins_of(arguments.files or ours)
    code, sentences = verdict(asked, ask(asked, arguments.service, arguments.seconds))
    print("\n".join(sentences), file=sys.stderr if code else sys.stdout)
    sys.exit(code)
