"""Which addresses are public: what hides an inner address behind another form is not."""

import ipaddress

import pytest
from pgqueue_worker.outbound import Allowed, is_public

from pgqueue.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::a9fe:a9fe",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "2a00:1450::1%lo",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"]
)
def test_an_address_of_the_public_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def test_an_operator_allows_hosts_by_name_and_networks() -> None:
    allowed = Allowed.parse(" Hooks.Internal, 10.1.0.0/16,fd00:1::/32, 127.0.0.1 ,")
    inner = ipaddress.ip_address("10.9.9.9")
    assert allowed.permits("hooks.internal", inner)
    assert allowed.permits("HOOKS.internal.", inner)
    assert not allowed.permits("evil.internal", inner)
    assert not allowed.permits("x.hooks.internal", inner)
    for text in ("10.1.2.3", "fd00:1::5", "127.0.0.1"):
        assert allowed.permits("any", ipaddress.ip_address(text))
    assert not allowed.permits("any", ipaddress.ip_address("127.0.0.2"))
    assert not Allowed().permits("any", inner)


@pytest.mark.parametrize("text", ["10.1.0.0/99", "10.1.0.1/16", "10.1.2", "a/b", "::g"])
def test_what_is_no_name_and_no_network_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Allowed.parse(text)
