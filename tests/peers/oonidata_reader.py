"""Run by an interpreter that has `oonidata`: loads measurements from standard input as OONI's pipeline does."""

import json
import sys

from oonidata.dataclient import load_measurement

for line in sys.stdin.buffer:
    loaded = load_measurement(json.loads(line))
    keys = loaded.test_keys
    print(
        json.dumps(
            {
                "type": type(loaded).__name__,
                "input": loaded.input,
                "queries": len(keys.queries or ()),
                "connects": len(keys.tcp_connect or ()),
                "handshakes": len(keys.tls_handshakes or ()),
                "requests": len(keys.requests or ()),
                "blocking": keys.blocking,
                "accessible": keys.accessible,
            }
        )
    )
