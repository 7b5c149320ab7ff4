"""The former name of `sanity.masks.ticket`, kept for checks that import it."""

from sanity.masks.ticket import Ticket, channel_groups, tied_names

__all__ = ["Ticket", "channel_groups", "tied_names"]
