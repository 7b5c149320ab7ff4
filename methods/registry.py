"""Registers the pruning methods by name. Imports no torch."""

from sanity.config.registry import Registry

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
