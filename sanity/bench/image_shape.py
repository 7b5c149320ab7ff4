"""Defines the type of the benchmarks' option `shape`: images as 3x32x32."""

import re
from typing import Annotated

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError


class ImageShape(tuple[int, int, int]):
    """(channels, height, width), written 3x32x32."""

    def __str__(self) -> str:
        return "x".join(map(str, self))


def _parsed(value: object) -> ImageShape:
    text = str(value)
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5}){2}", text):
        raise PydanticCustomError("shape", "should be channels x height x width, as in 3x32x32")
    channels, height, width = map(int, text.split("x"))
    return ImageShape((channels, height, width))


Shape = Annotated[ImageShape, PlainValidator(_parsed)]
CIFAR = ImageShape((3, 32, 32))
