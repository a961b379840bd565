"""What the parts about delivery share: a small site whose processes run beside a cloud."""
