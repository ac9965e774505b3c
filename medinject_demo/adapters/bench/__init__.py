"""Recovery measured on pairs whose adapter is known."""
