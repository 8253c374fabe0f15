"""Make pages that read well in a checkout read well on the site: notebooks, pictures, links."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

PICTURE = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="(?P<dark>[^"]+)">\s*'
    r'<img src="(?P<light>[^"]+)" alt="(?P<alt>[^"]+)">\s*</picture>'
)


def _follow_the_theme(picture: re.Match[str]) -> str:
    """Return two images of which the theme's button shows one."""
    return "\n\n".join(
        f"![{picture['alt']}]({picture[theme]}){{.only-{theme}}}" for theme in ("light", "dark")
    )


def _rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    if page.startswith("notebooks/"):
        return
    source[0] = PICTURE.sub(_follow_the_theme, source[0]).replace("](../notebooks/", "](notebooks/")


def _copy_notebooks(app: Sphinx) -> None:
    """Copy what changed of ``notebooks/`` to below the pages, and drop what is gone."""
    here, there = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / "notebooks"
    stored = {path.name: path for path in here.glob("*.ipynb")}
    for old in there.glob("*.ipynb"):
        if old.name not in stored:
            old.unlink()
    for name, path in stored.items():
        text = path.read_text("utf-8").replace("](../docs/", "](../")
        copy = there / name
        if not copy.exists() or copy.read_text("utf-8") != text:
            copy.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both."""
    app.connect("builder-inited", _copy_notebooks, priority=100)
    app.connect("source-read", _rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
