# starts: from sqlalchemy import create_engine
from types import SimpleNamespace
import os

settings = SimpleNamespace(DATABASE_URL=os.environ["MISMARTERA_DATABASE_URL"])
# --- the block ---
with SessionLocal() as s:
    assert s.execute(text("select 1")).scalar() == 1
assert not SessionLocal().autoflush
