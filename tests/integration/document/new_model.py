# starts: # New model
# needs: fresh

# --- the block ---
from mismartera_analytics.models.database import engine

assert "new_table" in inspect(engine).get_table_names()
