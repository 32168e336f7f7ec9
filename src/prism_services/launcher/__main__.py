"""`python -m prism_services.launcher`."""

from __future__ import annotations

from prism_services.launcher.main import main

if __name__ == "__main__":
    main()
