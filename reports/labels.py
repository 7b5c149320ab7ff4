"""Labels of methods and checks, as records bear them: `snip@lee2019[biases=never]`, `half_dataset[which=first]+reinit`.

A label is read in one place, here: brackets are matched, so that a `+` or a comma in an option's value splits nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Part:
    """One method, or one of the checks that a label composes.

    options: (option, value) pairs, in the order of the label.
    """

    name: str
    variant: str = ""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The part as a record spells it."""
        name = f"{self.name}@{self.variant}" if self.variant else self.name
        return f"{name}[{self.settings}]" if self.options else name

    @property
    def settings(self) -> str:
        """The options alone: `biases=never,batch_norm=running`."""
        return ",".join(f"{option}={value}" for option, value in self.options)


def parse(label: str) -> tuple[Part, ...]:
    """Reads a label of a method or check into its parts; text that is no label is one part of that name."""
    parts = tuple(_part(text) for text in _split(label, "+"))
    return parts if join(parts) == label else (Part(label),)


def join(parts: Sequence[Part]) -> str:
    """The label of parts that are composed."""
    return "+".join(part.label for part in parts)


def _part(text: str) -> Part:
    whole, bracket, rest = text.partition("[")
    name, _, variant = whole.partition("@")
    options: list[tuple[str, str]] = []
    for setting in _split(rest.removesuffix("]"), ",") if bracket else ():
        option, equals, value = setting.partition("=")
        if equals:
            options.append((option, value))
        elif options:  # a comma within a value
            options[-1] = (options[-1][0], f"{options[-1][1]},{setting}")
    return Part(name, variant, tuple(options))


def _split(text: str, separator: str) -> Iterator[str]:
    """The pieces of a text between separators that stand outside all brackets."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if character == separator and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
