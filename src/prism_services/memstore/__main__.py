"""`python -m prism_services.memstore`."""

from __future__ import annotations

from prism_services.memstore.main import main

if __name__ == "__main__":
    main()
