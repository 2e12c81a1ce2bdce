"""Pure rendering: values in, bytes out. Nothing here opens, reads a clock or logs.

`text/` is for people at a terminal, `pictures/` for pages and the mailed report, `metrics/` for Prometheus, `ooni/` for
who reads OONI's format. Beside them: many targets over time (`grid`, `period`, `glance`), and a run as JSON (`record`).
"""
