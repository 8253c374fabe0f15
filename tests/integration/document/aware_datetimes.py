# starts: from datetime import datetime | from zoneinfo import ZoneInfo
# needs: rows

# --- the block ---
with session_scope() as s:
    s.query(Order).first().placed_at = created_at
with SessionLocal() as s:
    assert s.query(Order).first().placed_at == created_at
