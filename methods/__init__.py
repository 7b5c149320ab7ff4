"""Registers the pruning methods by name. Importing this package imports no torch; `get` does."""

from typing import TYPE_CHECKING, Any

from sanity.config.registry import Registry

if TYPE_CHECKING:
    from methods.base import Method

REGISTRY = Registry(
    "method",
    "sanity.methods",
    {
        "magnitude": "methods.magnitude:Magnitude",
        "snip": "methods.snip:SNIP",
        "grasp": "methods.grasp:GraSP",
        "synflow": "methods.synflow:SynFlow",
        "force": "methods.force:FORCE",
        "lamp": "methods.lamp:LAMP",
        "ntk_sap": "methods.ntk_sap:NTKSAP",
        "npb": "methods.npb:NPB",
        "phew": "methods.phew:PHEW",
        "px": "methods.px:PX",
        "prospr": "methods.prospr:ProsPr",
        "rigl": "methods.rigl:RigL",
        "set": "methods.set:SET",
        "gmp": "methods.gmp:GMP",
        "random": "methods.random:Random",
        "random_tickets": "methods.random_tickets:RandomTickets",
        "partially_trained": "methods.partially_trained:PartiallyTrained",
        "hybrid_tickets": "methods.hybrid_tickets:HybridTickets",
        "edge_popup": "methods.edge_popup:EdgePopup",
        "gem_miner": "methods.gem_miner:GemMiner",
        "l1_filters": "methods.l1_filters:L1Filters",
        "network_slimming": "methods.network_slimming:NetworkSlimming",
        "early_bird": "methods.early_bird:EarlyBird",
        "blind": "methods.blind:Blind",
        "imported": "methods.imported:Imported",
    },
    of_functions="methods.foreign.method:as_method",
)


def searching() -> list[str]:
    """Lists the methods that find a mask in any network; those that read it from a file are left out."""
    return [name for name in REGISTRY.names() if not getattr(REGISTRY.load(name), "reads_files", False)]


def get(name: str, variant: str = "", **options: Any) -> "Method":
    """Returns the method called `name`, with the settings of the paper `variant` and then `options` over its defaults.

    name: a registered name, or `package.module:Class`, or `package.module:function` for a plain function that prunes.
    variant: e.g. "su2020": the settings of that paper's own code; "" takes the method's defaults.
    options: the dataclass fields of the method, as values or as text.

    Raises `UserError` for an unknown name, variant or option, and for a value out of bounds.
    """
    from methods.presets import from_class

    return from_class(REGISTRY.load(name), name, variant, options)
