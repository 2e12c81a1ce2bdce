"""The worlds of OONI's test suite for Web Connectivity, in ours."""
