"""Telegram, as a way to people."""
