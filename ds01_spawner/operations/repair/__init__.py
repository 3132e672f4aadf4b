"""What crashes leave behind: found, repaired, cleared away."""
