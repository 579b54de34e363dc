"""Which addresses are announced, and how."""

import pytest

from rtc.candidates import announced, candidate_lines

HOSTS = ["192.0.2.7", "2001:db8::7"]


@pytest.mark.parametrize(
    ("bound", "public", "loopback", "expected"),
    [
        (["0.0.0.0"], [], False, ["192.0.2.7"]),
        (["0.0.0.0", "::"], [], False, ["192.0.2.7", "2001:db8::7"]),
        (["0.0.0.0"], [], True, ["192.0.2.7", "127.0.0.1"]),
        (["127.0.0.1"], [], False, ["127.0.0.1"]),
        (["127.0.0.1"], [], True, ["127.0.0.1"]),
        (["0.0.0.0"], ["198.51.100.1", "2001:db8::1"], False, ["198.51.100.1", "2001:db8::1"]),
        (["192.0.2.7"], [], False, ["192.0.2.7"]),
    ],
)
def test_public_addresses_replace_those_of_the_interfaces(
    bound: list[str], public: list[str], loopback: bool, expected: list[str]
) -> None:
    assert announced(bound, public, loopback=loopback, interfaces=HOSTS) == expected


def test_a_host_without_a_network_serves_itself() -> None:
    assert announced(["0.0.0.0"], [], loopback=False, interfaces=[]) == ["127.0.0.1"]


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="example"):
        announced(["0.0.0.0"], ["example.org"], loopback=False, interfaces=HOSTS)


def test_udp_comes_before_tcp_and_every_priority_is_another() -> None:
    lines = [line.split() for line in candidate_lines(HOSTS, 7882, tcp=True)]
    assert [(line[2], line[4], line[5]) for line in lines] == [
        ("udp", "192.0.2.7", "7882"),
        ("udp", "2001:db8::7", "7882"),
        ("tcp", "192.0.2.7", "7882"),
        ("tcp", "2001:db8::7", "7882"),
    ]
    priorities = [int(line[3]) for line in lines]
    assert priorities == sorted(set(priorities), reverse=True)
    assert all(priority < 1 << 31 for priority in priorities)
    assert all(line[-4:-2] == ["tcptype", "passive"] for line in lines if line[2] == "tcp")
    assert len({line[0] for line in lines}) == len(lines)


def test_without_tcp_there_is_none() -> None:
    assert not any(" tcp " in line for line in candidate_lines(HOSTS, 7882, tcp=False))
