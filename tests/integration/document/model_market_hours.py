# starts: class MarketHours(Base)
# needs: columns
# --- the block ---
check_same_columns(MarketHours)
