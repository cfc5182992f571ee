"""How good, how sure, and how fair: accuracy, paired comparison, audit."""
