"""What each error code means, at length: cause, example, remedy.

An example that is a whole configuration gives just its error. Packages of processors explain codes
of their own by the entry point group `pipeline.explanations`: a mapping from codes to texts.
"""

from pipeline.explanations.explanation import Explanation
from pipeline.explanations.graph import GRAPH
from pipeline.explanations.text import TEXT

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS = {**TEXT, **GRAPH}
"""By code, in the order in which a configuration is checked."""
