"""Delivery: the only folder that calls user code."""
