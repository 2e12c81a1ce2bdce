"""Lists, files and addresses become targets. Every bad line is one error, and the rest of the list still loads."""
