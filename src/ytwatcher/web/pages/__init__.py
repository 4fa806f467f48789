"""The pages: a module a topic; each parses, calls a use case, and fills a template."""
