# starts: class Order(Base)
# needs: columns
# --- the block ---
check_same_columns(Order)
