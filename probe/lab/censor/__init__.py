"""The censor: a sans-IO rule engine. Packets and the time in; verdicts and packets to inject out."""
