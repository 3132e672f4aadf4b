"""`ds01 events`: the audit log."""
