"""A database whose SQL was pasted by hand: which migrations are proven to be there, and recording them."""
