"""Reads every order with Polars whenever a line comes in; tells the seconds and sums of the answer."""

from __future__ import annotations

import json
import sys
import time

import polars

for _ in sys.stdin:
    start = time.perf_counter()
    frame = polars.read_database_uri("SELECT * FROM orders", sys.argv[1])
    seconds = time.perf_counter() - start
    sums = [frame.height, frame["average_fill_price"].sum(), frame["symbol"].n_unique()]
    print(json.dumps({"seconds": seconds, "sums": sums}), flush=True)
