"""What programs ask, under /api/v1: a module a topic; each parses, calls a use case, and answers in JSON (docs/api.md)."""
