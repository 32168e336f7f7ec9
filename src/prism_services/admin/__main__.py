"""`python -m prism_services.admin`."""

from __future__ import annotations

from prism_services.admin.main import main

if __name__ == "__main__":
    main()
