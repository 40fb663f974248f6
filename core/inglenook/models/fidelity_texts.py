"""The texts on which two models are compared: plain prose, and questions to go on from."""

from __future__ import annotations

__all__ = ["PROSE", "QUESTIONS"]

PROSE = (
    (
        "The harbour was quiet in the early morning. A woman in a yellow coat walked along"
        " the quay and counted the boats, as she had done every day since the spring. There"
        " were eleven, one fewer than yesterday, and she wrote the number in a small notebook."
        " The baker on the corner had already opened his door, and the smell of bread drifted"
        " over the water."
    ),
    (
        "Water boils at a hundred degrees at sea level, and at lower temperatures on a"
        " mountain, because the air presses on it less there. Cooks who live high up therefore"
        " boil an egg for longer. A lid on the pot helps a little, since it keeps the steam"
        " and the warmth inside."
    ),
    (
        "Every invoice needs a date, a number and the name of the person who ordered. Send it"
        " within two weeks of the delivery, keep a copy for seven years, and ask for payment"
        " within thirty days. If the money has not come by then, write a friendly reminder"
        " before you do more."
    ),
)
QUESTIONS = (
    "Question: What is the capital of France?\nAnswer:",
    "Question: How many days are there in a week?\nAnswer:",
    "Question: Which gas do people need to breathe?\nAnswer:",
    "Question: Why do ships float on water? Explain it in two sentences.\nAnswer:",
    "def is_even(number):\n    ",
    "Write a short letter to thank a neighbour for her help in the garden.\n\nDear",
)
