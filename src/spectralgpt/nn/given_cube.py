"""Methods of models that take a cube: anything else gets a sentence that says how to make one."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from spectralgpt.arguments import found_value
from spectralgpt.errors import OptionError
from spectralgpt.nn.cube import Cube

Method = TypeVar("Method", bound=Callable[..., Any])


def of_cubes(method: Method) -> Method:
    """The method, which raises OptionError for a first argument, or one named `cube` or `after`, that is no cube."""

    @wraps(method)
    def call(self: Any, *arguments: Any, **given: Any) -> Any:
        cubes = {"cube": arguments[0]} if arguments else {}
        cubes |= {
            name: value for name, value in given.items() if name == "cube" or (name == "after" and value is not None)
        }
        for name, value in cubes.items():
            if not isinstance(value, Cube):
                raise OptionError(
                    found_value(name, value),
                    "a cube, which holds pixels in the bands and units of the model",
                    "Make one with model.cube(pixels); pixels come from open_raster(...).read(), or from an array with "
                    "as_pixels",
                )
        return method(self, *arguments, **given)

    return cast(Method, call)
