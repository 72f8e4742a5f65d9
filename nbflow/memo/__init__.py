"""Remember results: what tells equal calls, the store that keeps what they gave, why a call was run anew."""
