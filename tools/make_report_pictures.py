"""Draw the pictures of a tear sheet on the site's first page: the demo's, light and dark.

Needs the extra `dev` and Chromium: ``python tools/make_report_pictures.py reports/demo.html``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SIZE = {"width": 1100, "height": 940}


def main() -> None:
    """Open the report in each theme and keep what its first screen shows."""
    report = Path(sys.argv[1]).resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for theme, name in (("light", "tear_sheet.png"), ("dark", "tear_sheet_dark.png")):
            page = browser.new_page(viewport=SIZE, color_scheme=theme)
            page.goto(report.as_uri())
            page.screenshot(path=PICTURES / name, animations="disabled")
        browser.close()


if __name__ == "__main__":
    main()
