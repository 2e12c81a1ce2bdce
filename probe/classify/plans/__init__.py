"""What to try next: the experiments whose answers would change the verdict, one module for each design."""
