"""Generated from proto/prism/interfaces/keyvalue/ by `make proto`; never edited."""
