"""How the engine reads what a client sends: JSON, parameters, filters, names."""
