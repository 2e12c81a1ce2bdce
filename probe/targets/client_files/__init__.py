"""The settings of tunnels' clients as links to their servers."""
