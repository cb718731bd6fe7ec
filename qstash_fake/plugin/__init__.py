"""The parts of the pytest plugin, each with hooks of its own. Every pytest run loads them."""
