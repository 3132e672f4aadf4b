"""The books of GPU slots: kept in every pass, and asked."""
