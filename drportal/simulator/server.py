"""Simulated AWS over HTTP: moto's server with DRS, the gate and the control channel before it."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response

from drportal.simulator import channel, company
from drportal.simulator import scenario as scenarios
from drportal.simulator.gate import ACCOUNT_HEADER, AnswerLost, Loss, exchange
from drportal.simulator.protocol import Answer, Arrived
from drportal.simulator.registration import register
from drportal.simulator.world import world

StartResponse = Callable[..., Any]

_BACKLOG = 128
_POLL = 0.05  # seconds between two looks whether the server shall stop
_ACCOUNT_VARIABLE = "HTTP_" + ACCOUNT_HEADER.upper().replace("-", "_")


class Application:
    """The WSGI application. `stopping` ends the wait of connections that are being held."""

    def __init__(self, scenario: dict[str, Any], stopping: Event) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._stopping = stopping
        self._channel = channel.Channel(scenario)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith(channel.PREFIX):
            status, value = self._channel.answer(request)
            response = Response(json.dumps(value), status, mimetype="application/json")
            return response(environ, start_response)
        return self._aws(request)(environ, start_response)

    def _aws(self, request: Request) -> Response:
        body = request.get_data()

        def proceed(account: str) -> Answer:
            environ = request.environ | {
                "wsgi.input": io.BytesIO(body),
                _ACCOUNT_VARIABLE: account,
            }
            chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
            return Answer(int(status.split()[0]), dict(headers), b"".join(chunks))

        try:
            answered = exchange(_arrived(request, body), proceed)
        except AnswerLost as lost:
            self._lose(lost)
        return Response(answered.body, answered.status, answered.headers)

    def _lose(self, lost: AnswerLost) -> None:
        if lost.loss is Loss.TIMEOUT:
            self._stopping.wait(world.settings.hold_seconds)
        # The server closes the connection on this error and sends nothing.
        raise ConnectionAbortedError(lost.loss.value)


def _arrived(request: Request, body: bytes) -> Arrived:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Arrived(request.method, request.url, headers, body)


class _Handler(MotoRequestHandler):
    def log(self, *_: object) -> None:
        """Quiet: the call log has every call."""

    def connection_dropped(self, *_: object) -> None:
        # werkzeug would keep the connection open, and the client would wait for its time-out.
        self.close_connection = True


class Running:
    """A server that runs in threads of this process, until `stop`."""

    def __init__(self, server: BaseWSGIServer, stopping: Event) -> None:
        self._server = server
        self._stopping = stopping
        self._thread = Thread(
            target=server.serve_forever, args=(_POLL,), name="simulated-aws", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL must be."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        """Connections that are being held are dropped."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    scenario: dict[str, Any] | None = None,
    speed: float | None = None,
) -> Running:
    """Load the scenario (without one, the demo's company) into the world and serve it.

    Port 0 takes a free port. One server per process: the world is shared. Raises ScenarioError,
    and OSError when the port is taken.
    """
    register()
    loaded = company.scenario() if scenario is None else scenario
    stopping = Event()
    # werkzeug, given a port that is taken, would end the process.
    with socket.create_server((host, port), backlog=_BACKLOG) as listening:
        scenarios.load(loaded)
        if speed is not None:
            world.clock.speed = speed
        server = make_server(
            host,
            port,
            Application(loaded, stopping),
            threaded=True,
            request_handler=_Handler,
            fd=listening.fileno(),
        )
    return Running(server, stopping)
