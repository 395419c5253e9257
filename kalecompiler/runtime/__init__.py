"""What runs inside a step's container: the standard library only, Python 3.9 and later, carried by every component.

`boot` makes the carried modules importable as `kalec_runtime.*`; `step` runs a step from beginning to end: `install`
(packages, files), `contract` (KFP's executor contract), `parameters`, `cells` (the notebook's code; `loop` where it
awaits), `guards`, `metrics` (`charts` for more than scalars), `report` (of an error), `display` (what cells show;
`rich` for more than text, `htmlreport` makes a page of it), and `shell`, where IPython is used.
What goes from step to step is a file (`bundle` tells its form). `outputs` hands values on: `saving` pickles them,
`writing` makes the file, `about` and `preview` tell people what is in it, `blame` says why it cannot be done. `arrays`,
`tensors`, `oddities`, `byvalue`, `handlers`, `editions` and `bonds` (of variables to one another) each know of values
that need more than pickle, and a step carries those that it may need: without one, pickle's own way serves.
`inputs` takes values: `reading` verifies the file, `loading` unpickles it. `values` is the door for all others.
The modules import one another relatively, so that they are the same here and there. `carried.program` is the text of a
component's program, put together from the constants in `packed`, which `pack` makes.
"""

from __future__ import annotations

from kalecompiler.runtime.carried import extras, program

__all__ = ["extras", "program"]
