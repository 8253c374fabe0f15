# starts: # Solution: Close existing
# needs: rows
import os

db_url = os.environ["MISMARTERA_DATABASE_URL"]
# --- the block ---
with engine.connect() as c:
    assert c.execute(text("select count(*) from users")).scalar() == 2
