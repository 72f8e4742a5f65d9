"""How a call is answered by work that is done already: found, restored, kept."""
