"""Let every ``ma.name`` in a sentence lead to its page of the API."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

import mismartera_analytics as ma

CALL = re.compile(r"ma\.(\w+)(\(.*)?$", re.DOTALL)


class FacadeLinks(SphinxTransform):
    """Wrap literals that begin with a name of the facade in a reference."""

    default_priority = 400

    def apply(self) -> None:
        """Leave headings alone, and literals that lead somewhere already."""
        for literal in list(self.document.findall(nodes.literal)):
            found = CALL.match(literal.astext())
            if found is None or found[1] not in ma.__all__:
                continue
            if isinstance(literal.parent, nodes.title | nodes.reference | pending_xref):
                continue
            reference = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=f"mismartera_analytics.{found[1]}",
                refexplicit=True,
                refwarn=True,
                refdoc=self.env.docname,
            )
            literal.replace_self(reference)
            reference += literal


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(FacadeLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
