from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import HubbubError
from signaling.sdpfrag import Credentials, credentials_of, parse, render, streams_of

TRICKLE = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:7\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw\r\n"
    "a=end-of-candidates\r\n"
)


def test_the_example_of_the_rfc_is_read() -> None:
    fragment = parse(TRICKLE)
    assert fragment.credentials == Credentials("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert (fragment.media, fragment.mid) == ("audio 9 UDP/TLS/RTP/SAVPF 0", "7")
    assert len(fragment.candidates) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither"),
        ("nonsense", "line 1"),
        ("a=mid:0\r\nm", "line 2"),
        ("a=ice-ufrag:EsAw\r\n", "ice-pwd"),
        ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", "ice-ufrag"),
        ("a=ice-ufrag:Es\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", "ice-ufrag"),
        ("a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n", "ice-pwd"),
        ("a=x\r\n" * 1001, "lines"),
    ],
)
def test_a_malformed_fragment_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(HubbubError) as refused:
        parse(text)
    assert refused.value.code == "bad_request"
    assert said in refused.value.message


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(HubbubError):
        parse(text)


def test_an_answer_names_the_section_that_was_asked_for() -> None:
    text = render(parse(TRICKLE), "new1", "p" * 22, ["candidate:1 1 udp 1 192.0.2.9 7882 typ host"])
    answer = parse(text)
    assert (answer.credentials, answer.mid) == (Credentials("new1", "p" * 22), "7")
    assert text.endswith("a=end-of-candidates\r\n")


def test_what_an_offer_says_of_ice_and_streams() -> None:
    offer = (
        "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:"
        + "p" * 22
        + "\r\na=msid:s t1\r\na=msid:- t2\r\na=msid:s t3\r\n"
    )
    assert credentials_of(offer) == Credentials("abcd", "p" * 22)
    assert streams_of(offer) == {"s"}
    assert credentials_of("v=0\r\n") is None
