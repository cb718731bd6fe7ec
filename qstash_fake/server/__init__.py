"""The fake as an HTTP server, for applications in any language. Needs the extra `qstash-fake[server]`."""
