"""What other tools' files say, translated into entries of the catalog; pure, and nothing is dropped silently."""
