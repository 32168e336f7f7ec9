"""Generated from proto/prism/dev/ by `make proto`; never edited."""
