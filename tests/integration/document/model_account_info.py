# starts: class AccountInfo(Base)
# needs: columns
# --- the block ---
check_same_columns(AccountInfo)
