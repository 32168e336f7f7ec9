"""What Podman is like on this machine, whether it runs containers, and the settings with which it does."""
