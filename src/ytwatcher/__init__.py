"""YT Watcher: watches YouTube videos, playlists and channels and tells people on Telegram what changed."""

__version__ = "0.1.0"
