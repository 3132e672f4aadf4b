"""What is written into the audit log, and how nobody fills it."""
