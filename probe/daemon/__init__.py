"""The long run: due targets through the pipeline into the store and the board; signals, reload, systemd."""
