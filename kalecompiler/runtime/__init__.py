"""What runs inside a step's container: the standard library only, Python 3.9 and later, carried by every component.

`boot` makes the carried modules importable as `kalec_runtime.*`; `step` runs a step from beginning to end: `install`
(packages, files), `contract` (KFP's executor contract), `parameters`, `cells` (the notebook's code), `values` on
`bundle` (what goes from step to step; `blame` and `byvalue` for what is hard to save), `guards`, `metrics`, `report`
(of an error), `display` (what cells show), and `shell`, where IPython is used. The modules import one another
relatively, so that they are the same here and there. `carried.program` is the text of a component's program, put
together from the constants in `packed`, which `pack` makes.
"""

from __future__ import annotations

from kalecompiler.runtime.carried import extras, program

__all__ = ["extras", "program"]
