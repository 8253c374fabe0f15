# starts: class TradingHoliday(Base)
# needs: columns
# --- the block ---
check_same_columns(TradingHoliday)
