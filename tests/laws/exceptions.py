"""What need not keep a law, as axis=choice, and why; each is tested to break it."""

NOT_NEUTRAL = {"conditioning=gate": "no finite gate is neutral: sigmoid(0) halves"}

NOT_STEERED = {"conditioning=none": "it takes no parameters"}

TRANSDUCTIVE = {
    "normalization=transductive": "it looks at the queries together, and says so",
    "adapter=adaptive-batch-norm:statistics=support+query": "it looks at the queries, and says so",
}

NOT_GENERATED = {
    "adapter=none": "it gives no parameters",
    "adapter=adaptive-batch-norm": "its parameters are moments",
    "adapter=adaptive-batch-norm:statistics=support+query": "its parameters are moments",
}
