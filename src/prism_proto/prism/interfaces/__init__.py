"""Generated from proto/prism/interfaces/ by `make proto`; never edited."""
