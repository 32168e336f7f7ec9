"""Generated from proto/prism/interfaces/pubsub/ by `make proto`; never edited."""
