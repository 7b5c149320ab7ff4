"""Makes models of constructors: functions and classes that return a network, torchvision's and timm's by their names.

What the data say (classes, channels, the size of images) is passed where a parameter of the constructor has one of the
usual names; its other parameters are the model's options. Weights are never downloaded.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import field, fields, make_dataclass
from functools import cache
from importlib.metadata import version
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, TypeAdapter
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from sanity.errors import UserError, unknown
from sanity.models.base import InputShape, Model

_Constructor = Callable[..., nn.Module]
_FROM_DATA = {
    **dict.fromkeys(("num_classes", "n_classes", "nb_classes", "classes", "num_labels"), "classes"),
    **dict.fromkeys(
        ("in_channels", "in_chans", "num_channels", "n_channels", "input_channels", "channels"), "channels"
    ),
    **dict.fromkeys(("image_size", "img_size", "input_size"), "size"),
    "input_shape": "shape",
}
"""Parameters by their usual names, and which property of the data they take."""
_NO_OPTIONS = ("pretrained", "weights", "progress", "device", "dtype")
_PRESET = "preset"
"""Stands for a value that the constructor sets for the class that it builds."""


class Constructed(Model):
    """Base class of models that are made of a constructor."""

    default_init: ClassVar[str] = "as_built_nonzero"
    constructor: ClassVar[_Constructor]
    builds: ClassVar[str] = ""
    """The class that the constructor hands its further parameters on to, as a model's name; empty if there is none."""
    passed: ClassVar[Mapping[str, str]] = {}
    """Which of the constructor's parameters take which property of the data."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """The options' defaults: an option with another value is passed."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        size = height if height == width else (height, width)
        of_data: dict[str, Any] = {"classes": classes, "channels": channels, "size": size, "sides": (height, width)}
        of_data |= {"shape": input_shape, "untrained": False}
        arguments = {parameter: of_data[source] for parameter, source in self.passed.items()}
        options = {option.name: getattr(self, option.name) for option in fields(self)}
        arguments |= {name: value for name, value in options.items() if value != self.defaults[name]}
        try:
            network = type(self).constructor(**arguments)
        except TypeError as error:
            if "multiple values" not in str(error) or not self.builds:
                raise
            raise UserError(f"the constructor sets it itself ({error}); model={self.builds} leaves it open") from None
        if channels == 1 and isinstance(network, nn.Module) and _takes_colours(network):
            network.register_forward_pre_hook(_in_colours)
        return network


def _takes_colours(network: nn.Module) -> bool:
    """Returns whether the first convolution takes three channels."""
    first = next((module for module in network.modules() if isinstance(module, _ConvNd)), None)
    return first is not None and first.in_channels == 3


def _in_colours(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Repeats the channel of grey images; a hook, so that parameters keep the names that they have in the library."""
    return (inputs[0].expand(-1, 3, -1, -1), *inputs[1:])


def from_library(name: str) -> type[Constructed]:
    """Returns the model `torchvision:NAME` or `timm:NAME`. Raises `UserError` for an unknown name or a missing library.

    torchvision's names are those of its classification networks, and of the classes that build them.
    """
    library, _, entry = name.partition(":")
    return class_of((_of_timm if library == "timm" else _of_torchvision)(entry), name)


def library_version(name: str) -> str:
    """Returns library and version of `torchvision:NAME` or `timm:NAME`."""
    library = name.partition(":")[0]
    return f"{library} {version(library)}"


def _of_torchvision(entry: str) -> _Constructor:
    from torchvision import models  # torchvision takes a second to import

    classes = {
        name: value for name, value in vars(models).items() if isinstance(value, type) and issubclass(value, nn.Module)
    }
    builders = models.list_models(module=models)
    if entry in builders:
        builder: _Constructor = models.get_model_builder(entry)
        return builder
    if entry not in classes:
        raise unknown("model of torchvision", entry, [*builders, *classes])
    return classes[entry]


def _of_timm(entry: str) -> _Constructor:
    try:
        models = importlib.import_module("timm.models")
    except ImportError:
        raise UserError(f"model timm:{entry}: timm is not installed; pip install timm") from None
    if not models.is_model(entry):
        raise unknown("model of timm", entry, models.list_models())
    builder: _Constructor = models.model_entrypoint(entry)
    return builder


@cache
def class_of(constructor: _Constructor, name: str) -> type[Constructed]:
    """Returns the model whose networks `constructor` returns; its options are the constructor's parameters.

    A constructor with `**kwargs` takes the parameters of the class that it is annotated to return, too.

    Raises:
        UserError: for a class that is no `torch.nn.Module`, and for what has no signature.
    """
    if isinstance(constructor, type) and not issubclass(constructor, nn.Module):
        raise UserError(f"model '{name}' is no class that derives from sanity.models.base.Model or torch.nn.Module")
    own, preset, built = _parameters(constructor, name)
    usable = [parameter for parameter in (own | preset).values() if parameter.name not in _NO_OPTIONS]
    passed = {
        parameter.name: _FROM_DATA[parameter.name]
        for parameter in usable
        if parameter.name in _FROM_DATA
        and not (_FROM_DATA[parameter.name] == "channels" and isinstance(parameter.default, list | tuple))
    }  # timm's ResNets call their layers' widths `channels`
    passed |= {
        parameter.name: "sides"
        for parameter in usable
        if passed.get(parameter.name) == "size" and get_origin(parameter.annotation) is tuple
    }
    if "pretrained" in own:
        passed["pretrained"] = "untrained"
    options = [parameter for parameter in usable if parameter.name not in passed and not hasattr(Model, parameter.name)]
    types = {parameter.name: _option_type(parameter) for parameter in options}
    defaults = {parameter.name: parameter.default if parameter.name in own else _PRESET for parameter in options}
    required = [option for option, default in defaults.items() if default is inspect.Parameter.empty]
    entries: list[Any] = [(option, types[option]) for option in required if types[option] is not None]
    entries += [
        (option, types[option], field(default_factory=lambda default=defaults[option]: default))  # type: ignore[misc]
        for option in defaults
        if option not in required and types[option] is not None
    ]
    cls: type[Constructed] = make_dataclass(name, entries, bases=(Constructed,), frozen=True, kw_only=True)
    cls.__doc__ = (inspect.getdoc(constructor) or f"Built by {name}.").splitlines()[0]
    cls.__module__, cls.__qualname__ = constructor.__module__, name
    if built is not None:
        is_torchvision = name.startswith("torchvision:")
        cls.builds = f"{'torchvision' if is_torchvision else built.__module__}:{built.__qualname__}"
    cls.constructor, cls.passed, cls.defaults = staticmethod(constructor), passed, defaults
    return cls


def _parameters(
    constructor: _Constructor, name: str
) -> tuple[dict[str, inspect.Parameter], dict[str, inspect.Parameter], type | None]:
    """Returns the parameters of a constructor, those that it hands on to the class that it returns, and that class."""
    try:
        signature = inspect.signature(constructor)
    except (TypeError, ValueError):
        raise UserError(f"model '{name}': {constructor!r} does not say which parameters it takes") from None
    hints = _hints(constructor)
    own = {p.name: p.replace(annotation=hints.get(p.name, p.annotation)) for p in _by_name(signature)}
    hands_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    built = hints.get("return")
    if not (hands_on and isinstance(built, type) and issubclass(built, nn.Module) and built is not nn.Module):
        return own, {}, None
    inner = _hints(built)
    listed = _by_name(inspect.signature(built))
    further = {p.name: p.replace(annotation=inner.get(p.name, p.annotation)) for p in listed if p.name not in own}
    return own, further, built


def _by_name(signature: inspect.Signature) -> Iterable[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter for parameter in signature.parameters.values() if parameter.kind in kinds]


def _hints(constructor: Any) -> dict[str, Any]:
    function = vars(constructor).get("__init__") if isinstance(constructor, type) else constructor
    with suppress(
        Exception
    ):  # an annotation is code and may raise anything; options then have the type of their default
        return get_type_hints(function)
    return {}


def _option_type(parameter: inspect.Parameter) -> Any:
    """Returns the type that an option for `parameter` has; None where no text can say its value."""
    hint = parameter.annotation
    if hint is inspect.Parameter.empty or isinstance(hint, str):
        plain = type(parameter.default) in (bool, int, float, str)
        hint = type(parameter.default) if plain else Any
    if hint in (bool, int, float, str):
        return hint
    members = [part for part in (get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]) if part]
    if all(part is NoneType or get_origin(part) in (type, Callable) or part in (type, Callable) for part in members):
        return None
    try:
        TypeAdapter(hint)
    except Exception:  # pydantic raises one of many for types that it does not know
        return None
    return Annotated[hint, BeforeValidator(_literal)]


def _literal(value: Any) -> Any:
    """Parses text as a Python literal, as in `2,2,6`; returns what is none as it is."""
    if isinstance(value, str):
        with suppress(ValueError, SyntaxError):
            return ast.literal_eval(value)
    return value
