"""The names and addresses under which the page's server may be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from conf.errors import BadInput

LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
"""The names under which this machine always reaches itself."""

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d*)?")
"""A Host header in lower case: an address of IPv6 in brackets, or another name, and perhaps a port."""

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


def address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a text is, or None where it is none. An address of IPv4 that is written as
    one of IPv6 (`::ffff:10.0.0.1`) is that of IPv4."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def without_brackets(host: str) -> str:
    """Return a host as sockets take it: an address of IPv6 may be written in brackets."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that listens at `host`."""
    found = address(without_brackets(host))
    return found.is_loopback if found else host.lower() == "localhost"


def in_address_bar(host: str) -> str:
    """Return a host as it stands in a URL."""
    plain = without_brackets(host)
    return f"[{plain}]" if ":" in plain else plain


@dataclass(frozen=True)
class HostNames:
    """The names that a Host header may have, in lower case and without a port.

    A page of another site can make a browser believe that the site's own name leads to this server, and read
    the answers; but then that name stands in the header. `takes_addresses`: any IP address is right, too,
    because an address is no name that somebody else can point here.
    """

    names: frozenset[str]
    takes_addresses: bool = False

    @classmethod
    def of(cls, host: str, names: Iterable[str] = ()) -> HostNames:
        """Return the names of a server that listens at `host` and has other names, too.

        A server that listens at all addresses of a machine (`0.0.0.0`, `::`) takes any address. Raises
        BadInput where a name is none.
        """
        plain = without_brackets(host).lower()
        listened = address(plain)
        others = {_checked(name) for name in names}
        return cls(
            # No client sends the zone of an address (`%eth0`) or the dot behind a whole name.
            LOOPBACK | others | {str(listened or plain).partition("%")[0].rstrip(".")},
            takes_addresses=listened is not None and listened.is_unspecified,
        )

    def has(self, header: str | None) -> bool:
        """Return whether a Host header has one of the names."""
        found = HOST.fullmatch((header or "").lower())
        if found is None:
            return False
        name = found[1] or found[2].rstrip(".")
        numbers = address(name)
        return (str(numbers or name) in self.names) or (
            numbers is not None and self.takes_addresses
        )


def _checked(name: str) -> str:
    plain = without_brackets(name).lower().rstrip(".")
    numbers = address(plain)
    if numbers is None and not NAME.fullmatch(plain):
        raise BadInput(
            f"--name {name} is no name of a machine; write it without http:// and without a port."
        )
    return str(numbers or plain)
