"""Generated from proto/prism/launcher/ by `make proto`; never edited."""
