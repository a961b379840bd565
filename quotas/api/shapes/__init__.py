"""What goes in and out: one shape for each noun, no rule among them."""
