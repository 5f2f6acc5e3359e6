"""Make tests/golden/tiny_tokens.json: what llama.cpp makes of difficult texts with the tiny model's vocabulary.

Needs llama-cpp-python (0.3.36 made the file in the repository), which the project itself does not use:

    python scripts/make_golden_tokens.py TINY.gguf tests/golden/tiny_tokens.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

TEXTS = [
    # plain
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog.",
    "What is the capital of France?",
    "a",
    " a",
    "UPPER lower MiXeD camelCase snake_case kebab-case",
    "It's they're we've I'm you'll he'd don't",
    "IT'S THEY'RE WE'VE I'M YOU'LL HE'D",
    "’tis ‘quoted’ “double” – dash — em…",
    "Mr. Smith (aged 42) paid $3.50 @ 9:30am; 100% sure, isn't he?",
    # digits
    "1234567",
    "3.14159265358979",
    "In 2024, 1,000,000 users; v1.2.3-beta4; 0x7fFF 1e-5",
    "٠١٢٣٤٥٦٧٨٩ ०१२३ 一二三 ½ ¼ ² ³ Ⅷ ①②",
    "phone +49 (0)30 123456-78",
    # white space
    " ",
    "  ",
    "   leading",
    "trailing   ",
    "a  b   c    d",
    "\t",
    "\ttab\t\ttabs",
    "\n",
    "\n\n",
    "\n\n\n",
    "line one\nline two\n\nline four\n",
    "windows\r\nline\r\n\r\nends",
    " \n \n ",
    "a \n b\t\n\tc",
    "no\u00a0break\u2003em\u3000ideographic\u200bzero",
    "    four\n        eight\n",
    # languages
    "Größe, Übermut, süß, Straße, naïve café, déjà vu, São Paulo",
    "¿Dónde está la biblioteca? ¡Allí!",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "你好，世界。今天天气怎么样？",
    "日本語のテキスト、カタカナとひらがな。",
    "한국어 텍스트입니다.",
    "مرحبا بالعالم، كيف حالك؟",
    "שלום עולם",
    "नमस्ते दुनिया",
    "வணக்கம் உலகம்",
    "สวัสดีชาวโลก",
    "Xin chào thế giới",
    "გამარჯობა მსოფლიო",
    "Բարեւ աշխարհ",
    "አለም ሰላም",
    "mixed: English 中文 русский عربى emoji 😀 end",
    # marks and emoji
    "e\u0301 vs é, n\u0303 vs ñ, Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
    "😀",
    "👍🏽 👩‍👩‍👧‍👦 🇫🇷 🏳️‍🌈 ❤️",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒮𝒸𝓇𝒾𝓅𝓉 𐍈 𓀀",
    "\ufeffBOM and \u202eRTL override",
    # code
    "def f(x):\n    return x**2\n",
    "for (int i = 0; i < n; ++i) { sum += a[i] << 2; } // total\n",
    '{"key": [1, 2.5, null, true], "nested": {"a": "b\\n"}}',
    "SELECT * FROM users WHERE id >= 10 AND name LIKE '%x%';",
    '<html><body class="a b">&amp;</body></html>',
    "https://example.com/path?q=1&r=%20#frag user@example.org",
    "#include <stdio.h>\n\tint main(void)\n\t{\n\t\treturn 0;\n\t}\n",
    "!!!??? ... --- === *** /// \\\\\\ ~~~ ``` $$$ ^^^",
    "\\frac{a}{b} \\int_0^1 x\\,dx \\alpha",
    # names of control tokens, which are text here
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|endoftext|>",
    "<|im_end|><|im_end|>",
    "<repo_name>x<file_sep>y<filename>z",
    "[INST] hi [/INST]</s><s>",
    # what some vocabularies lack
    "control \x01\x02\x07\x1b[0m \x7f end",
    "null \x00 byte",
    "a" * 300,
    "ab" * 100 + " " * 100 + "!" * 100,
]

CHATS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "user", "content": ""}],
    [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Hi\n\nthere "}],
    [{"role": "system", "content": ""}, {"role": "user", "content": "Grüße 😀"}],
    [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": " and 2+2?"},
    ],
]


def main(model_path: str, output: str) -> None:
    model = llama_cpp.Llama(model_path, vocab_only=True, verbose=False)
    template = Jinja2ChatFormatter(
        model.metadata["tokenizer.chat_template"], eos_token="", bos_token="", add_generation_prompt=True
    )

    def ids(text: str, special: bool) -> list[int]:
        return model.tokenize(text.encode(), add_bos=False, special=special)

    golden = {
        "made_with": f"llama-cpp-python {llama_cpp.__version__}",
        "texts": [{"text": text, "ids": ids(text, special=False)} for text in TEXTS],
        "chats": [{"messages": chat, "ids": ids(template(messages=chat).prompt, special=True)} for chat in CHATS],
    }
    Path(output).write_text(json.dumps(golden, indent=None, separators=(",", ":")).replace("},{", "},\n{") + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
