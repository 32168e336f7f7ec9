"""Generated from proto/prism/admin/ by `make proto`; never edited."""
