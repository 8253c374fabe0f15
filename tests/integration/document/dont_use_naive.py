# starts: # ❌ Wrong | created_at = datetime.now()
# needs: rows
# raises: NaiveColumnError, because marked ❌: the naive value is refused when it is written
from zoneinfo import ZoneInfo

# --- the block ---
with session_scope() as s:
    s.query(Order).first().placed_at = created_at
naive = created_at.replace(tzinfo=None)
with session_scope() as s:
    s.query(Order).first().placed_at = naive
