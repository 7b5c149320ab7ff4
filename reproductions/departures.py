"""Says in words how runs depart from what a paper published, for the title of a report."""

from collections.abc import Iterable

_WORDS = {
    "recipe": "recipe {}",
    "recipe.epochs": "{} epochs",
    "recipe.milestones": "learning rate lowered after epochs {}",
    "recipe.lr": "learning rate {}",
    "recipe.momentum": "momentum {}",
    "recipe.weight_decay": "weight decay {}",
    "recipe.batch_size": "batches of {}",
    "recipe.optimizer": "optimizer {}",
    "init": "initialisation {}",
    "dataset.limit": "{} training examples",
    "dataset.test_limit": "{} test examples",
}


def in_words(departures: Iterable[str]) -> str:
    """Puts departures such as "recipe.milestones=46.2962963,92.5925926" into words, with numbers of four digits.

    Text that is no KEY=VALUE, or has words before the key, stays as it is.
    """
    return ", ".join(map(_in_words, departures))


def _in_words(departure: str) -> str:
    key, equals, value = departure.partition("=")
    if not equals or " " in key:
        return departure
    numbers = [_rounded(number) for number in value.split(",")]
    told = " and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))
    part, _, option = key.rpartition(".")
    name = " ".join(filter(None, [part if part != "recipe" else "", option.replace("_", " ")]))
    text = _WORDS.get(key, f"{name} {{}}").format(told)
    return text.removesuffix("s") if key == "recipe.epochs" and value == "1" else text


def _rounded(text: str) -> str:
    """A decimal number to four digits; other text as it is."""
    try:
        return f"{float(text):.4g}" if "." in text else text
    except ValueError:
        return text
