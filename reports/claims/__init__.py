"""Claims of papers: sentences that can fail, and what the records of this repository say about each."""
