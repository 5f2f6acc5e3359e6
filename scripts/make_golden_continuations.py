"""Makes tests/golden/tiny_continuations.json: what llama.cpp writes after each prompt, greedily, with the `tiny` model.

Run it where llama-cpp-python 0.3.36 is installed (it is no dependency of the tests):

    python scripts/make_golden_continuations.py PATH/SmolLM2-135M-Instruct.Q4_1.gguf
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np

TOKENS = 24
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    ",
    "Water boils at 100 degrees",
    "The three primary colours are",
    "1, 2, 3, 4, 5, 6,",
    "import numpy as np\n\ndef mean(",
    "Dear Sir or Madam,\n\nI am writing to",
    "The mitochondrion is",
    "Q: What is the largest planet in the solar system?\nA:",
    "In 1969, the first humans landed on",
    "The recipe needs two eggs, a cup of flour and",
    "SELECT name, age FROM",
    "Photosynthesis is the process by which",
    "<html>\n<head>\n<title>",
    "To be, or not to be,",
    "La capitale de la France est",
    "Der schnelle braune Fuchs",
    "El perro corre por el",
    "# Shopping list\n\n- milk\n- bread\n-",
    "The contract may be ended by either party with",
    "Einstein's theory of relativity says that",
    "x = 3\ny = 4\nprint(x + y)  # prints",
    "The difference between weather and climate is",
    "Monday, Tuesday, Wednesday,",
    "  \n\n  indented text and    many spaces",
]


def continue_greedily(model: llama_cpp.Llama, prompt: str) -> dict[str, object]:
    ids = model.tokenize(prompt.encode(), add_bos=False, special=False)
    model.reset()
    model.eval(ids)
    output, margins = [], []
    for _ in range(TOKENS):
        scores = np.asarray(model.scores[model.n_tokens - 1])
        second, first = np.sort(scores)[-2:]
        output.append(int(scores.argmax()))
        margins.append(round(float(first - second), 3))
        model.eval(output[-1:])
    return {"prompt": prompt, "prompt_ids": ids, "output_ids": output, "margins": margins}


def main() -> None:
    model = llama_cpp.Llama(sys.argv[1], n_ctx=256, n_threads=2, logits_all=True, verbose=False, seed=0)
    golden = {
        "made_with": f"llama-cpp-python {llama_cpp.__version__}",
        "margins": "score of the likeliest token minus that of the second, at each step",
        "continuations": [continue_greedily(model, prompt) for prompt in PROMPTS],
    }
    target = Path(__file__).parent.parent / "tests" / "golden" / "tiny_continuations.json"
    target.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
