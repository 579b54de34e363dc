"""What a token has to be, and what it permits."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import HubbubError
from signaling.revocations import Revocation, Revocations
from signaling.tokens import MAX_LIFETIME, Claims, Keyring, matches

NOW = 1_800_000_000.0
OLD, NEW = "o" * 32, "n" * 32
KEYS = Keyring({"old": OLD, "new": NEW})


def minted(kid: str = "old", secret: str = OLD, algorithm: str = "HS256", **claims: Any) -> str:
    body = {"sub": "ann", "exp": NOW + 60, **claims}
    kept = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm, headers={"kid": kid})


def refusal(token: str) -> str:
    with pytest.raises(HubbubError) as refused:
        KEYS.verify(token, NOW)
    assert refused.value.code == "unauthorized"
    return refused.value.message


def claims(**fields: Any) -> Claims:
    return Claims(sub="ann", exp=NOW + 60, **fields)


def test_keys_are_told_apart_by_their_id_so_that_they_can_be_rotated() -> None:
    assert KEYS.verify(minted("old", OLD), NOW).kid == "old"
    assert KEYS.verify(minted("new", NEW), NOW).kid == "new"
    assert "signature" in refusal(minted("new", OLD))


@pytest.mark.parametrize("kid", ["gone", "", "None"])
def test_an_unknown_key_id_is_refused(kid: str) -> None:
    assert "kid" in refusal(minted(kid))


def test_a_token_without_a_key_id_is_refused() -> None:
    assert "kid" in refusal(jwt.encode({"sub": "ann", "exp": NOW + 60}, OLD, algorithm="HS256"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.filterwarnings("ignore:The HMAC key is")
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    assert "signature" in refusal(minted(algorithm=algorithm))


def test_the_algorithm_none_is_refused() -> None:
    body = {"sub": "ann", "exp": NOW + 60}
    assert "signature" in refusal(jwt.encode(body, "", algorithm="none", headers={"kid": "old"}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"exp": None}, "exp"),
        ({"exp": NOW - 1}, "expired"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW + MAX_LIFETIME + 60}, "30 days"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": NOW + 60}, "nbf"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": "x" * 257}, "sub"),
        ({"grants": "publish"}, "grants"),
        ({"room": 7}, "room"),
        ({"docs": [{"name": "a", "access": "own"}]}, "docs"),
        ({"topics": [{"name": "a"}]}, "topics"),
        ({"meta": {"x": "y" * 5000}}, "meta"),
    ],
)
def test_a_wrong_claim_is_refused_by_its_name(fields: dict[str, Any], said: str) -> None:
    assert said in refusal(minted(**fields))


def test_claims_of_a_later_version_are_ignored() -> None:
    assert KEYS.verify(minted(grants=["publish", "fly"], later=1), NOW).may("publish")


@given(st.text(max_size=300))
def test_no_text_but_a_token_is_a_token(text: str) -> None:
    refusal(text)


@given(st.binary(max_size=200))
def test_a_signed_payload_that_is_no_claims_object_is_refused(payload: bytes) -> None:
    refusal(jwt.PyJWS().encode(payload, OLD, algorithm="HS256", headers={"kid": "old"}))


@pytest.mark.parametrize(
    ("room", "name", "may"),
    [("demo", "demo", True), ("demo", "other", False), ("*", "other", True), (None, "demo", False)],
)
def test_a_token_is_for_one_room_or_for_all(room: str | None, name: str, may: bool) -> None:
    assert claims(room=room).may_join(name) is may


def test_an_administrator_moderates_and_records_everywhere() -> None:
    admin = claims(grants=frozenset({"admin"}))
    assert admin.may_in("moderate", "any")
    assert admin.may_in("record", "any")
    assert not admin.may("publish")
    assert not claims(room="demo", grants=frozenset({"moderate"})).may_in("moderate", "other")


@pytest.mark.parametrize(
    ("fields", "name", "access"),
    [
        ({"room": "demo", "grants": frozenset({"docs:read"})}, "demo", "read"),
        ({"room": "demo", "grants": frozenset({"docs:write"})}, "demo/notes", "write"),
        ({"room": "demo", "grants": frozenset({"docs:write"})}, "demonstration", None),
        ({"room": "demo", "grants": frozenset({"chat"})}, "demo", None),
        ({"room": "*", "grants": frozenset({"docs:read"})}, "any", "read"),
        ({"room": None, "grants": frozenset({"docs:read"})}, "any", None),
        ({"docs": [{"name": "a/*", "access": "write"}, {"name": "a/b", "access": "read"}]}, "a/b", "write"),
        ({"docs": [{"name": "a", "access": "read"}]}, "a", "read"),
        ({"room": "demo", "grants": frozenset({"docs:write"}), "docs": []}, "demo", None),
    ],
)
def test_access_to_documents_is_by_the_docs_claim_or_else_by_the_room(
    fields: dict[str, Any], name: str, access: str | None
) -> None:
    body = {**fields, "grants": sorted(fields.get("grants", ()))}
    assert KEYS.verify(minted(**body), NOW).doc_access(name) == access


@pytest.mark.parametrize(
    ("fields", "topic", "access"),
    [
        ({"room": "demo"}, "room:demo", "read"),
        ({"room": "demo"}, "room:other", None),
        ({"room": "*"}, "room:other", "read"),
        ({}, "user:ann", "read"),
        ({}, "user:bob", None),
        ({"topics": [{"name": "news.*", "access": "read"}]}, "news.sport", "read"),
        ({"topics": [{"name": "*", "access": "read"}, {"name": "a", "access": "publish"}]}, "a", "publish"),
        ({"topics": [{"name": "a", "access": "publish"}]}, "ab", None),
    ],
)
def test_access_to_topics(fields: dict[str, Any], topic: str, access: str | None) -> None:
    assert KEYS.verify(minted(**fields), NOW).topic_access(topic) == access


@given(st.text(), st.text())
def test_a_pattern_is_exact_or_a_beginning(start: str, rest: str) -> None:
    assert matches(f"{start}*", start + rest)
    assert matches(start, start + rest) == (rest == "" or start.endswith("*"))


@pytest.mark.parametrize("text", ["main", "main:short", ":" + "x" * 32, "a:" + "x" * 32 + ",a:" + "y" * 32])
def test_keys_that_cannot_be_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        Keyring.parse(text)
    assert "short" not in str(refused.value).replace("shorter", "")
    assert "xxxx" not in str(refused.value)


def test_a_minted_token_verifies() -> None:
    assert KEYS.verify(KEYS.mint({"sub": "ann", "exp": int(NOW) + 5}, "new"), NOW).kid == "new"


def test_a_revoked_identity_is_refused_until_it_gets_a_newer_token() -> None:
    revocations = Revocations()
    revocations.revoke("sub", "ann", NOW)
    assert revocations.refuses(claims())
    assert revocations.refuses(claims(iat=NOW - 5))
    assert not revocations.refuses(claims(iat=NOW + 5))
    assert not revocations.refuses(Claims(sub="bob", exp=NOW + 60))


def test_a_revoked_token_is_refused_by_its_id_alone() -> None:
    revocations = Revocations([Revocation("jti", "t-1", NOW, NOW + 10)])
    assert revocations.refuses(claims(jti="t-1"))
    assert not revocations.refuses(claims(jti="t-2"))
    revocations.prune(NOW + 11)
    assert not revocations.refuses(claims(jti="t-1"))
