"""A token stream as the AI SDK reads it: UI message stream, version 1 (ai-sdk.dev, "Stream Protocols").

Lines of `data:` with JSON chunks, `[DONE]` at the end. Its client reads from the beginning or not at all, so
there are no ids.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signaling.entry import Entry
from signaling.outbox import Frame

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
DONE = b"data: [DONE]\n\n"
# One message has one text; its id only has to be different from the other parts'.
TEXT_ID = "text-1"


class UIMessages:
    """One reader's translation of a stream's entries, in order from the first."""

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id
        self._in_text = False

    def entry(self, entry: Entry) -> Frame:
        data = msgspec.json.decode(entry.data)
        match entry.type:
            case "open":
                return _frame({"type": "start", "messageId": self._stream_id})
            case "token" if "text" in data:
                delta = {"type": "text-delta", "id": TEXT_ID, "delta": data["text"]}
                return _frame(*self._begin_text(), delta)
            case "token":
                return _frame({"type": "data-piece", "data": data["data"]})
            case "done":
                return _frame(*self._end_text(), _finish(data), done=True)
            case "stopped":
                return _frame(*self._end_text(), {"type": "abort"}, done=True)
            case _:
                return _frame(*self._end_text(), {"type": "error", "errorText": data["message"]}, done=True)

    def _begin_text(self) -> list[dict[str, Any]]:
        if self._in_text:
            return []
        self._in_text = True
        return [{"type": "text-start", "id": TEXT_ID}]

    def _end_text(self) -> list[dict[str, Any]]:
        return [{"type": "text-end", "id": TEXT_ID}] if self._in_text else []


def _finish(data: dict[str, Any]) -> dict[str, Any]:
    """Data that the producer ended with is the message's metadata."""
    return {"type": "finish", **({"messageMetadata": data["data"]} if "data" in data else {})}


def _frame(*chunks: dict[str, Any], done: bool = False) -> Frame:
    lines = b"".join(b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks)
    return Frame(lines + DONE if done else lines)
