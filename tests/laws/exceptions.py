"""What need not keep a law, as axis=choice, and why; each is tested to break it."""

NOT_NEUTRAL = {"conditioning=gate": "no finite gate is neutral: sigmoid(0) halves"}

NOT_STEERED = {"conditioning=none": "it takes no parameters"}

TRANSDUCTIVE = {
    "normalization=transductive": "it looks at the queries together, and says so",
    "adapter=adaptive-batch-norm:statistics=support+query": "it looks at the queries, and says so",
}

NOT_GENERATED = {
    "adapter=none": "it gives no parameters",
    "adapter=frozen": "it gives those of the network as it was published",
    "adapter=constant": "its parameters are learned themselves",
    "adapter=gradient": "its parameters are fitted to the task",
    "adapter=gradient:one_shot=start": "its parameters are fitted to the task",
    "adapter=adaptive-batch-norm": "its parameters are moments",
    "adapter=adaptive-batch-norm:statistics=support+query": "its parameters are moments",
}
