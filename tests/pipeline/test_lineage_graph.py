"""A lineage as a graph of Mermaid or Graphviz."""

from __future__ import annotations

from cta_data.pipeline.lineage import Lineage
from cta_data.pipeline.lineage_graph import graph_text


def test_a_path_with_quotation_marks_does_not_end_a_label() -> None:
    """Names of files are text, whatever they hold."""
    found = Lineage('evaluation/a "b" \\ <c> #1.svg', {}, [])
    assert r'"target" [label="evaluation/a \"b\" \\ <c> #1.svg"];' in graph_text(found, ".dot")
    assert '["evaluation/a #34;b#34; \\ #60;c#62; #35;1.svg"]' in graph_text(found, ".mmd")
