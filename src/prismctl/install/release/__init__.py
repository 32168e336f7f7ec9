"""Release archives of the vendor: found, fetched, verified and unpacked."""
