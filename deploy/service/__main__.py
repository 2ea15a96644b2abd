#!/usr/bin/python3
"""The service: python3 deploy/service, settings from the environment (--help)."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import uvicorn  # noqa: E402
from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: E402

from app import create_app  # noqa: E402
from middleware import start_log  # noqa: E402
from settings import read_settings  # noqa: E402


def main():
    settings = read_settings(sys.argv[1:])
    start_log()

    class Protocol(H11Protocol):
        """A connection that has no whole head of a request in time is closed."""

        def connection_made(self, transport):
            super().connection_made(transport)
            self.loop.call_later(settings.body_timeout, self.no_head)

        def no_head(self):
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, http=Protocol, loop="auto",
                log_config=None, access_log=False, server_header=False, lifespan="on",
                timeout_keep_alive=30, backlog=2048)


main()
