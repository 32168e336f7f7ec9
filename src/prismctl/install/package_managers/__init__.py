"""What the package managers of Debian, Fedora and Homebrew have in common, and where they differ."""
