"""The vectors: readings and rules in, alerts out, for whatever judges (README.md beside this file says how to read them)."""
