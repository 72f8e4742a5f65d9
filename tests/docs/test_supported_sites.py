"""The page of supported sites shows the descriptions that are shipped."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("supported_sites", DOCS / "supported_sites.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "supported-sites.md").read_text() == module.page(), "run `make docs`"
