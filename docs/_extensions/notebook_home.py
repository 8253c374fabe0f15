"""Where the site's notebooks run: a demo of their own, made anew when what they show may differ."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def _digest(root: Path) -> str:
    """Return what names the state of the package and of the notebooks."""
    digest = hashlib.sha256()
    package = root / "mismartera_analytics"
    for path in sorted([*package.rglob("*.py"), *(root / "notebooks").glob("*.ipynb")]):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _prepare(app: Sphinx) -> None:
    """Run the demo into a fresh home, and point the kernels and the cache of outputs at it."""
    if app.config.nb_execution_mode == "off":
        return
    root = Path(app.srcdir).parent
    homes = Path(app.srcdir) / "_build" / "notebooks"
    home = homes / _digest(root)
    app.config.nb_execution_cache_path = str(home / "outputs")
    os.environ["MISMARTERA_HOME"] = str(home)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(root), os.environ.get("PYTHONPATH")])
    )
    if (home / "complete").exists():
        return
    shutil.rmtree(homes, ignore_errors=True)
    home.mkdir(parents=True)
    logger.info("running the demo for the notebooks")
    from mismartera_analytics import close_db, configure
    from mismartera_analytics.operations.demo import run_demo

    configure()
    run_demo()
    close_db()
    (home / "complete").touch()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register before myst-nb reads its configuration."""
    app.connect("builder-inited", _prepare, priority=50)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
