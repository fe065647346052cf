"""An HTTP server in the place of AWS: it counts attempts, and misbehaves as it is told.

STS answers that the caller is HUB; every other call gets what `answers` has for its path, or hangs
or drops the connection.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.worlds import HUB

_IDENTITY = f"""<GetCallerIdentityResponse><GetCallerIdentityResult>
<Arn>arn:aws:iam::{HUB}:user/portal</Arn><UserId>U</UserId><Account>{HUB}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@dataclass(frozen=True)
class Reply:
    """An answer; `hang` for none before the test ends, `drop` for a connection that is closed."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False


HANG = Reply(hang=True)
DROP = Reply(drop=True)


def error(status: int, code: str, **headers: str) -> Reply:
    """An error in DRS's protocol."""
    said = {"x-amzn-ErrorType": code, **headers}
    return Reply(status, {"message": "as the test says"}, said)


class Loopback:
    """The server. `attempts` counts requests by path; `answers` says what each path gets."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.agents: list[str] = []
        self.answers: dict[str, Callable[[int], Reply]] = {}
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, path: str, *replies: Reply) -> None:
        """The first attempt gets the first reply and so on; the last reply is repeated."""
        self.answers[path] = lambda attempt: replies[min(attempt, len(replies)) - 1]

    def reply(self, path: str) -> Reply:
        self.attempts[path] += 1
        return self.answers[path](self.attempts[path])

    def wait_for_end(self) -> None:
        self._ended.wait(timeout=30)

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(owner: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            owner.agents.append(self.headers.get("User-Agent", ""))
            if b"Action=GetCallerIdentity" in body:
                self._send(Reply(body=_IDENTITY, headers={"Content-Type": "text/xml"}))
                return
            reply = owner.reply(self.path.partition("?")[0])
            if reply.hang:
                owner.wait_for_end()
            if reply.hang or reply.drop:
                self.close_connection = True
                return
            self._send(reply)

        do_GET = do_POST  # noqa: N815  # the name is the base class's

        def _send(self, reply: Reply) -> None:
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing: a test looks at `attempts`."""

    return Handler
