"""Tables 2 to 4 and S1 of the paper, as text and as a page."""
