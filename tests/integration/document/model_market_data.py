# starts: class MarketData(Base)
# needs: columns
# --- the block ---
check_same_columns(MarketData)
