"""Accepts and never says a word: `python bundled_silence.py PORT`."""

import contextlib
import resource
import socket
import sys


def main(port: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("0.0.0.0", port), backlog=4096))
        while True:
            kept.append(stack.enter_context(server.accept()[0]))
            if len(kept) > hard // 2:
                kept.pop(0).close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
