"""How Sphinx builds the site: `make docs`, or `sphinx-build -W docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

import mismartera_analytics as ma  # noqa: E402

project = "mismartera_analytics"
author = "The mismartera_analytics authors"
project_copyright = author
version = release = ma.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "api_pages",
    "command_list",
    "facade_links",
    "mathml",
    "notebook_home",
    "places",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "api/generated/*.txt", "notebooks/.ipynb_checkpoints"]
nitpicky = True
default_role = "py:obj"  # single backquotes of docstrings: a link where there is a page, else code
nitpick_ignore_regex = [("py:obj", ".*")]

# MyST: what the pages are written in, readable as they are in a checkout.
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
html_math_renderer = "mathml"

# Notebooks are stored without outputs; `notebook_home` says where they run and keeps what came out.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"  # `api_pages` shows each type beside its parameter
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# What `tests/test_docstrings.py` asks of the facade (parameters, returns, examples) is not asked of
# each class and method below it. Types stand in the signatures, and parameters of a kind are
# described together.
numpydoc_validation_checks = {
    "all",
    "ES01", "EX01", "PR01", "PR03", "PR04", "PR09", "RT01", "RT02", "RT03", "SA01",
}  # fmt: skip
numpydoc_validation_exclude = {r"\.FillEvent(\.|$)"}

html_theme = "pydata_sphinx_theme"
html_title = "mismartera_analytics"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"tour": [], "glossary": [], "changelog": [], "benchmarks": []}
