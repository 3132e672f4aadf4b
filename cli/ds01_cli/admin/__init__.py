"""`ds01 admin`: for whoever looks after the platform; opens it directly, on its own machine."""
