# starts: # Get timezone-aware datetime
# needs: models
market_hours = MarketHours(
    timezone="America/New_York",
    regular_open=datetime(1, 1, 1, 9, 30).time(),
    regular_close=datetime(1, 1, 1, 16).time(),
)
# --- the block ---
assert open_dt.isoformat() == "2025-07-02T09:30:00-04:00"
assert close_dt.isoformat() == "2025-07-02T16:00:00-04:00"
assert open_utc.isoformat() == "2025-07-02T13:30:00+00:00" and open_utc == open_dt
