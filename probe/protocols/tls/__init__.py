"""TLS as it passes on the wire: hellos of many shapes, records, certificates, ECH."""
