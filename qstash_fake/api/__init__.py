"""QStash's HTTP API: a request in, a reply out. Edges translate; the broker decides."""
