"""Looking at a launched server over the network, from where the worker runs.

Only ever at the private address that EC2 told of the server's own instance: a plan names ports and
paths, and no host. No proxy is used and no redirect is followed. Every look is over within
seconds, whatever the other side does.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Final

from django.conf import settings

from drportal.transactions import reaches_outside
from recovery.engine.checks import Check, Finding, Found

CONNECT_SECONDS: Final = 3.0
WHOLE_SECONDS: Final = 8.0
_MOST_BYTES: Final = 256 * 1024
_PIECE: Final = 8192


@reaches_outside
def tcp(address: str, check: Check) -> Finding:
    """Whether a TCP connection can be made."""
    refused = _not_to_be_asked(address)
    if refused:
        return refused
    try:
        socket.create_connection((address, check["port"]), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return _no_connection(error, f"port {check['port']}")
    return Finding(Found.PASSED, f"Port {check['port']} accepts connections.")


@reaches_outside
def request(address: str, check: Check) -> Finding:
    """Whether a GET is answered with a status, and a text, as the check wants them."""
    refused = _not_to_be_asked(address)
    if refused:
        return refused
    where = f"{check['scheme']} on port {check['port']}"
    made = _connection(address, check)
    # Time-outs are for each piece; whoever sends a byte now and then would never be done.
    cut = threading.Timer(WHOLE_SECONDS, _shut, [made])
    cut.start()
    try:
        made.connect()
        status, body = _answer(made, check)
    except ssl.SSLError as error:
        return Finding(Found.FAILED, f"TLS on port {check['port']} failed: {error.reason or error}")
    except OSError as error:
        return _no_connection(error, where)
    except http.client.HTTPException as error:
        return Finding(Found.FAILED, f"{where} gave no HTTP answer: {type(error).__name__}")
    finally:
        cut.cancel()
        made.close()
    return _judged(status, body, check)


def _judged(status: int, body: bytes, check: Check) -> Finding:
    wanted = f"{check['status_from']} to {check['status_to']}"
    if not check["status_from"] <= status <= check["status_to"]:
        return Finding(Found.FAILED, f"GET {check['path']} gave status {status}, not {wanted}.")
    if check["contains"] and check["contains"].encode() not in body:
        told = f"the text is not in the first {len(body)} bytes of the answer"
        return Finding(Found.FAILED, f"GET {check['path']} gave status {status}, but {told}.")
    return Finding(Found.PASSED, f"GET {check['path']} gave status {status}.")


def _connection(address: str, check: Check) -> http.client.HTTPConnection:
    if check["scheme"] == "http":
        return http.client.HTTPConnection(address, check["port"], timeout=CONNECT_SECONDS)
    context = ssl.create_default_context()
    if not check["verify_tls"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return _NamedConnection(address, check, context)


class _NamedConnection(http.client.HTTPSConnection):
    """TLS to an address, in which the server is asked for by the name of the check."""

    def __init__(self, address: str, check: Check, context: ssl.SSLContext) -> None:
        super().__init__(address, check["port"], timeout=CONNECT_SECONDS, context=context)
        self._name, self._tls = check["host_name"] or address, context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        # Without a handshake first, so that the socket can be shut while there is one.
        self.sock = self._tls.wrap_socket(
            self.sock, server_hostname=self._name, do_handshake_on_connect=False
        )
        self.sock.do_handshake()


def _answer(made: http.client.HTTPConnection, check: Check) -> tuple[int, bytes]:
    """The status and the beginning of the body."""
    headers = {"Host": check["host_name"]} if check["host_name"] else {}
    made.request("GET", check["path"], headers={"User-Agent": "drportal-check", **headers})
    answer = made.getresponse()
    body = bytearray()
    while check["contains"] and len(body) < _MOST_BYTES:
        piece = answer.read1(_PIECE)
        if not piece:
            break
        body += piece
    return answer.status, bytes(body)


def _shut(made: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        made.sock.shutdown(socket.SHUT_RDWR)


def _no_connection(error: OSError, what: str) -> Finding:
    """A server that says no has failed. One that says nothing may only be out of reach."""
    if isinstance(error, ConnectionRefusedError | ConnectionResetError):
        told = "refused the connection" if error.errno else "closed the connection"
        return Finding(Found.FAILED, f"The server {told}: {what}.")
    why: Any = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
    told = f"It could not be reached from the portal: {what}, {why or type(error).__name__}."
    return Finding(Found.UNREACHABLE, told)


def _not_to_be_asked(address: str) -> Finding | None:
    """No instance has such an address, so whatever answers there is none of ours."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return Finding(Found.NOT_YET, "Its private address is not known yet.")
    odd = known.is_link_local or known.is_multicast or known.is_unspecified or known.is_reserved
    if odd or (known.is_loopback and not settings.CHECKS_MAY_ASK_LOOPBACK):
        return Finding(Found.LOST, f"{address} is no address of an instance; it is not asked.")
    return None
