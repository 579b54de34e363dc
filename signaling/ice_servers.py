"""ICE servers for clients: TURN with credentials that expire.

Time-limited credentials as coturn's `use-auth-secret` checks them (draft-uberti-behave-turn-rest-00): the
user name is its own expiry, the password an HMAC of it. Pure: the clock is an argument.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

# A call that lasts longer asks `GET /v1/ice-servers` again; an allocation that runs is not cut off.
LIFETIME_SECONDS = 6 * 3600


def ice_servers(urls: Sequence[str], secret: str, identity: str, now: float) -> list[dict[str, Any]]:
    """`RTCConfiguration.iceServers` for an identity, valid for six hours from Unix time `now`."""
    if not urls:
        return []
    if not secret:
        return [{"urls": list(urls)}]
    username = f"{int(now) + LIFETIME_SECONDS}:{quote(identity, safe='')}"
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return [{"urls": list(urls), "username": username, "credential": base64.b64encode(digest).decode()}]
