# starts: # Initialize database
# needs: fresh, models

# --- the block ---
from mismartera_analytics.models.database import engine

assert {"users", "positions", "orders", "market_data"} <= set(inspect(engine).get_table_names())
