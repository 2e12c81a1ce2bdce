"""One target through the whole flow. The only room where checks meet judgement."""
