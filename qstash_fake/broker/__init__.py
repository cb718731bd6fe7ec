"""The sans-IO broker: it is told the time, asked for the next delivery, and told the outcome."""
