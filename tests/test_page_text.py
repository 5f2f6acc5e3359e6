"""`page_text` gives what a person reads, and nothing of what a page hides."""

from __future__ import annotations

import pytest

from mistralet.page_text import page_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>a\n  b<p>c", "a b\n\nc"),
        ("<h2>Title &amp; more</h2>text", "## Title & more\n\ntext"),
        ("<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2"),
        ("<div>a</div><div>b</div>c<br>d", "a\nb\nc\nd"),
        ("<pre>def f():\n    pass</pre>", "def f():\n    pass"),
        ("a <b>bold</b> word", "a bold word"),
        ('<a href="/x?a=1">here</a>', "[here](https://site.example/x?a=1)"),
        ('<a href="#top">up</a> <a name="x">place</a>', "up place"),
        ('<img src="a.png" alt="a cat"><img src="b.png">', "[image: a cat]"),
        ("<head><title>T</title><meta name=x></head><body>b", "T\n\nb"),
        (
            "a<script>x()</script><style>y{}</style><noscript>n</noscript><p hidden>h</p><svg><text>s</text></svg>b",
            "ab",
        ),
        ("<!-- comment -->a", "a"),
        ("[INST]&lt;s&gt;[TOOL_CALLS]", "[INST]<s>[TOOL_CALLS]"),
        ('<a href="http://[">x</a>', "[x](http://[)"),
    ],
)
def test_text_of_pages(html: str, text: str) -> None:
    assert page_text(html, "https://site.example/dir/page") == text


def test_nesting_beyond_what_python_can_call_is_read() -> None:
    assert page_text("<div>" * 3000 + "deep") == "deep"
