"""Has what IPython and pyplot show come to the recorder, also where the code imports it itself.

Carried by steps whose code names one of the two. Nothing is imported here: the modules are changed as they are.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .rich import Rich

# IPython before 7.23 has `display` in the second one.
SHOWING = ("IPython.core.display_functions", "IPython.core.display")
PYPLOT = "matplotlib.pyplot"


class Watch:
    """Finds these modules by the finders behind it, and changes each once it is loaded."""

    def __init__(self, rich: Rich) -> None:
        self.rich = rich
        self.shown: dict[Any, dict[str, Any]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of a module that is to be changed, None for any other."""
        if name not in (*SHOWING, PYPLOT):
            return None
        for finder in sys.meta_path:
            ask = None if finder is self else getattr(finder, "find_spec", None)
            spec: Any = ask and ask(name, path, target)
            if spec is not None:
                self._extend(spec.loader)
                return spec
        return None

    def change(self, module: Any) -> None:
        """Have a module that is loaded show things here."""
        if module.__name__ == PYPLOT:
            show = self.rich.show_figures
            module.show = lambda *given, **options: show(*given, **options)  # noqa: PLW0108 - it gets attributes
        elif module.__name__ in SHOWING and "display" in vars(module):
            self.module = module
            module.display, module.publish_display_data = self.display, self.publish
            module.clear_output = self.clear

    def display(
        self, *values: Any, raw: bool = False, metadata: Any = None, display_id: Any = None, **options: Any
    ) -> Any:
        """IPython's `display`; with `display_id` there is a handle, with `update` too what was shown is replaced."""
        handle = self.module.DisplayHandle(None if display_id is True else display_id) if display_id else None
        name, update = handle and handle.display_id, options.get("update")
        for value in values:
            output = self.rich.output("display", value, raw, metadata)
            if update and name in self.shown:
                self.shown[name].update(output)
            else:
                self.rich.recorder.add(output)
                self.shown[name] = output
        return None if update else handle

    def publish(self, data: Any, metadata: Any = None, *arguments: Any, **options: Any) -> None:
        """IPython's `publish_display_data`."""
        self.rich.recorder.add(self.rich.output("display", data, True, metadata))

    def clear(self, wait: bool = False) -> None:
        """What the cell displayed until now is gone; the log keeps it."""
        if self.rich.recorder.outputs:
            self.rich.recorder.outputs.clear()

    def _extend(self, loader: Any) -> None:
        load = loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            self.change(module)

        loader.exec_module = exec_module


def start(rich: Rich) -> None:
    """Watch what is imported from now on."""
    watch: Any = Watch(rich)
    sys.meta_path.insert(0, watch)
    for name in (*SHOWING, PYPLOT):
        if name in sys.modules:
            watch.change(sys.modules[name])
