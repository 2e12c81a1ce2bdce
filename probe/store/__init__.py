"""SQLite (WAL): one writing thread, any number of readers. Enter through `probe.store.store.Store`."""
