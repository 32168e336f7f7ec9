"""Generated from proto/prism/common/ by `make proto`; never edited."""
