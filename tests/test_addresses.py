from __future__ import annotations

import pytest

from medinject_demo.addresses import client_of, hashed


def test_without_proxies_the_peer_is_the_client_whatever_a_header_says() -> None:
    assert client_of("192.0.2.1", ["203.0.113.9"], 0) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        (["203.0.113.9"], 1, "203.0.113.9"),
        (["10.9.9.9, 203.0.113.9"], 1, "203.0.113.9"),
        (["10.9.9.9", "203.0.113.9"], 1, "203.0.113.9"),
        (["10.9.9.9, 203.0.113.9, 198.51.100.7"], 2, "203.0.113.9"),
        (["203.0.113.9:4711"], 1, "203.0.113.9"),
    ],
    ids=["one", "forged before it", "forged in a header of its own", "two proxies", "with a port"],
)
def test_what_the_trusted_proxies_wrote_is_read_from_the_right(forwarded: list[str], proxies: int, client: str) -> None:
    assert client_of("192.0.2.1", forwarded, proxies) == client


@pytest.mark.parametrize("forwarded", [[], [""], ["unknown"], ["203.0.113.9"], ["999.1.1.1, x"]])
def test_a_header_that_the_proxies_cannot_have_written_is_no_address(forwarded: list[str]) -> None:
    assert client_of("192.0.2.1", forwarded, 2) == "192.0.2.1"


@pytest.mark.parametrize("peer", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "[2001:db8:1:2::1]:443"])
def test_all_addresses_of_one_ipv6_home_are_one(peer: str) -> None:
    assert client_of(peer, [], 0) == "2001:db8:1:2::/64"


def test_an_ipv4_address_in_the_clothes_of_ipv6_is_itself() -> None:
    assert client_of("::ffff:192.0.2.1", [], 0) == "192.0.2.1"


@pytest.mark.parametrize("peer", ["", "testclient", "unix:/socket"])
def test_what_is_no_address_is_not_known(peer: str) -> None:
    assert client_of(peer, [], 0) == ""


def test_a_hash_does_not_tell_its_name_and_differs_by_kind_and_secret() -> None:
    hashes = {hashed(what, "192.0.2.1", secret) for what in ("address", "voter") for secret in ("one", "two")}
    assert len(hashes) == 4
    assert hashed("address", "192.0.2.1", "one") in hashes
    assert not any("192" in each for each in hashes if len(each) != 64)
