"""Pure values and grammar of QStash's HTTP API. Knows no clock, no broker, no IO."""
