"""Generated from proto/prism/ by `make proto`; never edited."""
