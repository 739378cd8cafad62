"""How the tables came to be, one file of ``versions`` after the other."""
