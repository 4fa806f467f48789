"""Whether YouTube takes an API key, and what a refusal means to the person who made it; shared by `init` and `doctor`."""

from __future__ import annotations

from types import MappingProxyType

from ytwatcher.core.model import VideoId
from ytwatcher.youtube.client import YouTubeClient
from ytwatcher.youtube.faults import Act, YouTubeError

KNOWN_VIDEO = VideoId("jNQXAC9IVRw")
"""The first video on YouTube, there since 2005."""
CREDENTIALS = "https://console.cloud.google.com/apis/credentials"

_WRONG = f"YouTube does not know this key. Copy it again, whole, from {CREDENTIALS}"
_RESTRICTED = f"the key is restricted to {{}}. Edit its restrictions at {CREDENTIALS}"
_MEANINGS = MappingProxyType(
    {
        "API_KEY_INVALID": _WRONG,
        "keyInvalid": _WRONG,
        "badRequest": _WRONG,
        "API_KEY_EXPIRED": f"the key has expired. Make a new one at {CREDENTIALS}",
        "keyExpired": f"the key has expired. Make a new one at {CREDENTIALS}",
        "SERVICE_DISABLED": "the key is right, but in its project the YouTube Data API v3 is not enabled. Enable it at"
        " https://console.cloud.google.com/apis/library/youtube.googleapis.com and wait a few minutes",
        "API_KEY_SERVICE_BLOCKED": _RESTRICTED.format("other APIs than the YouTube Data API v3"),
        "API_KEY_IP_ADDRESS_BLOCKED": _RESTRICTED.format("other IP addresses than this machine's"),
        "API_KEY_HTTP_REFERRER_BLOCKED": _RESTRICTED.format("web pages"),
        "API_KEY_ANDROID_APP_BLOCKED": _RESTRICTED.format("Android apps"),
        "API_KEY_IOS_APP_BLOCKED": _RESTRICTED.format("iOS apps"),
        "ipRefererBlocked": _RESTRICTED.format("other IP addresses or web pages"),
        "CONSUMER_SUSPENDED": "Google has suspended the key's project. Its console says why",
        "network": "the API cannot be reached from here. Check the connection, a proxy, and youtube.base_url",
        "timeout": "the API did not answer in time. Check the connection, and try again",
    }
)
_SAME = MappingProxyType({"accessNotConfigured": "SERVICE_DISABLED"})


def meaning(error: YouTubeError) -> str:
    """What a refusal means, and what to do about it."""
    if error.act is Act.CLOSE_BUCKET:
        return "the key is right; today's quota of its project is used up, until midnight Pacific time"
    return _MEANINGS.get(_SAME.get(error.reason, error.reason), str(error))


async def check_key(client: YouTubeClient) -> str | None:
    """Ask for one video that is known to be there; one unit. What is to be remarked about a key that is taken.

    Raises:
        YouTubeError: the key is refused, or nobody answered.
    """
    try:
        answer = await client.videos([KNOWN_VIDEO])
    except YouTubeError as error:
        if error.act is Act.CLOSE_BUCKET:
            return meaning(error)
        raise
    return None if answer.items else "the answer did not have the video that was asked for"
