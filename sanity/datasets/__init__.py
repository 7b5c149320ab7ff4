"""The former name of `sanity.data`, kept for packages that import it."""
