"""Write the page of supported sites from the descriptions that are shipped.

python docs/supported_sites.py
"""

from pathlib import Path

DOCS = Path(__file__).parent
CENTRES = DOCS.parent / "nbflow" / "sites" / "centres"

HEAD = """\
<!-- written by docs/supported_sites.py: change the descriptions in nbflow/sites/centres, then run it -->

# Supported sites

Any cluster with Slurm, PBS, Grid Engine, LSF or HTCondor can be [described](sites.md). These descriptions
are shipped as a start. Each begins with what of it was checked against the centre's public documentation,
its `source`; the rest is what is generally known. **They are marked `untested`**: nobody has run nbflow
there yet, and the centre's own pages are right where these are not. If you have an account,
`nbflow doctor NAME` tells in a minute what is missing; please report what you find.
"""


def page() -> str:
    """Return the text of the page."""
    entries = [
        f"## {path.stem}\n\n```toml\n{path.read_text()}```\n" for path in sorted(CENTRES.glob("*.toml"))
    ]
    return "\n".join([HEAD, *entries])


if __name__ == "__main__":
    (DOCS / "supported-sites.md").write_text(page())
