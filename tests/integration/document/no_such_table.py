# starts: # Solution: Initialize database
# needs: fresh
from mismartera_analytics.models import *

# --- the block ---
from mismartera_analytics.models.database import SessionLocal

with SessionLocal() as s:
    assert s.query(User).count() == 0
