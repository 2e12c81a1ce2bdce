"""The only sockets that measure. A step does one operation once and appends one observation."""
