"""What the Makefile calls, and what is written from tables instead of by hand."""
