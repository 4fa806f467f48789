"""Telling people: the outbox's loop, and the recipients that are not a service of their own."""
