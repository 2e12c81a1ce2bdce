"""What is said to bytes that are no HTTP: one short answer with the headers of all others, and no traceback in the log.

aiohttp quotes what it could not read and logs a trace of it at each request: anybody who can connect could fill a disk.
"""

import logging
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_request import BaseRequest

from probe.web.guards import put_headers

log = logging.getLogger("wallprobe.web")


class StrictHandler(web.RequestHandler):
    """aiohttp's protocol of one connection, with errors in our own words."""

    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read, or a fault of ours; the connection ends with it."""
        if isinstance(exc, ConnectionError):
            # The reader has gone, or was shown out, in the middle of its answer: no fault of ours.
            log.debug("reader has gone", extra={"path": request.path})
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request crashed", extra={"path": request.path}, exc_info=exc)
        else:
            log.debug("request refused", extra={"status": status, "reason": type(exc).__name__})
        if request.writer.output_size > 0:
            # Part of an answer is out: only a broken connection tells its reader that it is not whole.
            raise ConnectionError("answered already")
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase.lower()}\n")
        put_headers(response)
        response.force_close()
        return response
