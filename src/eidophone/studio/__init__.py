"""Studio: a web page and an HTTP API for the verbs, served from this machine."""
