"""A mail server and a webhook on this machine, which misbehave as they are told."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class MailServer:
    """What arrived, as (recipient, mail). `answers` replaces the answer to a command, such as
    `{"RCPT": "550 no"}`; with `silent` nothing is ever answered.
    """

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def said(self, command: str, otherwise: str) -> bytes:
        return (self.answers.get(command, otherwise) + "\r\n").encode()


class _MailSession(socketserver.StreamRequestHandler):
    """One connection. The server that it is of knows what was told to answer."""

    recipient = ""

    def handle(self) -> None:
        self.told: MailServer = self.server.told  # type: ignore[attr-defined]  # set below
        if self.told.silent:
            self.told.over.wait(30)
            return
        self.wfile.write(self.told.said("CONNECT", "220 here"))
        while line := self.rfile.readline().decode().strip():
            command = line.split(":")[0].split()[0].upper()
            if command == "DATA":
                self._take()
                continue
            self.recipient = _address(line) if command == "RCPT" else self.recipient
            otherwise = "221 bye" if command == "QUIT" else "250 ok"
            self.wfile.write(self.told.said(command, otherwise))

    def _take(self) -> None:
        self.wfile.write(self.told.said("DATA", "354 go on"))
        lines = iter(self.rfile.readline, b".\r\n")
        mail = message_from_bytes(b"".join(lines), policy=default)
        self.told.mails.append((self.recipient, mail))
        self.wfile.write(self.told.said("DOT", "250 taken"))


def _address(line: str) -> str:
    return line.partition("<")[2].rstrip(">")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def mail_server() -> Iterator[MailServer]:
    found = MailServer()
    server = _Server(("127.0.0.1", 0), _MailSession)
    server.told = found  # type: ignore[attr-defined]  # for its sessions
    with _serving(server) as port:
        found.port = port
        yield found
        found.over.set()


@dataclass
class Webhook:
    """What was posted, as (path, body). `status` is answered; with `silent` nothing is."""

    url: str = ""
    posts: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200
    location: str = ""
    silent: bool = False
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def webhook() -> Iterator[Webhook]:
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posts.append((self.path, json.loads(body)))
            if found.silent:
                found.over.wait(30)
                return
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server) as port:
        found.url = f"json://127.0.0.1:{port}"
        yield found
        found.over.set()


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        address: Any = server.server_address
        yield address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
