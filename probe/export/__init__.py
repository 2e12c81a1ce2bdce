"""Pure rendering: values in, bytes out. Nothing here opens, reads a clock or logs."""
