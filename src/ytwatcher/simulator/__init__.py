"""Faithful doubles of the YouTube Data API and the Telegram Bot API, as real HTTP servers (docs/simulator.md)."""

from ytwatcher.simulator.server import serve
from ytwatcher.simulator.telegram import TelegramDouble
from ytwatcher.simulator.world import World, make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.youtube import YouTubeDouble

__all__ = ["TelegramDouble", "World", "YouTubeDouble", "make_channel_id", "make_playlist_id", "make_video_id", "serve"]
