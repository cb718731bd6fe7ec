"""The fake as an HTTP server of its own, for applications in any language. Needs the extra `qstash-fake[server]`."""
