"""How a figure is come by: servers, a client, pairs, what is counted, rows and their limits."""
