"""Logs say what went wrong and never what people said or hold."""

import io
import sys

import pytest
import structlog

from signaling import logs


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_local_variables(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("info", style)
    try:
        secret = "".join(["hush", "-", "hush"])
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("test").exception("failed")
    finally:
        structlog.reset_defaults()
    assert "ValueError" in written.getvalue()
    assert "hush-hush" not in written.getvalue()
