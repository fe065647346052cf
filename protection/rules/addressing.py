"""Private addresses: which a server may be given in a subnet."""

import ipaddress

# RFC 1918, and the shared space of RFC 6598 that VPCs take too. Python's own "private" is wider:
# it holds loopback, link-local and documentation ranges, in which no server can be launched.
_PRIVATE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_AT_THE_START = 4  # the network, the router, DNS and one for later (VPC user guide)

Problem = tuple[str, str]  # a code, and a sentence


def form_problem(ip: str) -> Problem | None:
    """What is wrong with an address by itself."""
    try:
        address = ipaddress.IPv4Address(ip)
    except ValueError:
        return "INVALID_IP_FORMAT", f"{ip} is no IPv4 address."
    if not any(address in block for block in _PRIVATE):
        ranges = ", ".join(map(str, _PRIVATE))
        return "IP_NOT_PRIVATE", f"{ip} is not private: it is in none of {ranges}."
    return None


def place_problem(ip: str, cidr: str) -> Problem | None:
    """What is wrong with a well-formed address in a subnet of this CIDR block."""
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError:
        return "INVALID_CIDR", f"{cidr or 'nothing'} is no IPv4 CIDR block."
    address = ipaddress.IPv4Address(ip)
    if address not in block:
        return "IP_OUT_OF_RANGE", f"{ip} is not in {cidr}."
    if int(address) - int(block.network_address) < _AT_THE_START:
        return "IP_RESERVED", f"AWS keeps the first four addresses of {cidr} for itself."
    if address == block.broadcast_address:
        return "IP_RESERVED", f"AWS keeps the last address of {cidr} for itself."
    return None
