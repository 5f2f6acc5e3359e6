// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { renderBlocks } from "./markdown";

function html(text: string): string {
  return renderBlocks(text)
    .map((block) => block.html)
    .join("");
}

function rendered(text: string): HTMLElement {
  const element = document.createElement("div");
  element.innerHTML = html(text);
  return element;
}

describe("what a model writes does nothing", () => {
  test.each([
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "a <svg onload=alert(1)> b",
    "<details ontoggle=alert(1) open>x</details>",
    "[x](javascript:alert(1))",
    "[x](JAVASCRIPT&colon;alert(1))",
    "[x](data:text/html,<script>1</script>)",
    "[x](vbscript:x)",
    '[x](https://a.example/"onmouseover="alert(1))',
    "![x](https://a.example/track.png)",
    '![x" onerror="alert(1)](https://a.example/)',
    "<a href='javascript:alert(1)'>x</a>",
    '```"><img src=x onerror=alert(1)>\ncode\n```',
    "```html\n<script>alert(1)</script>\n```",
    "| <img src=x onerror=alert(1)> |\n| --- |\n| <iframe src=//a.example> |",
    "<style>*{display:none}</style>",
    "<form action=//a.example><input name=x></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<br/onmouseover=alert(1)>",
  ])("%s", (text) => {
    for (const element of rendered(text).querySelectorAll("*")) {
      expect(
        element.matches(
          "img, script, style, svg, iframe, form, math, object, [style], [src], input:not([type=checkbox])",
        ),
      ).toBe(false);
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on/);
        if (name === "href") expect(value).toMatch(/^(https?:|mailto:)/);
      }
    }
  });

  test("HTML is shown as it was written", () => {
    expect(rendered("Use <Foo bar={1}> here").textContent).toBe("Use <Foo bar={1}> here\n");
    expect(rendered("<div>\n\nx").textContent).toContain("<div>");
  });

  test("but for tags that only mark text", () => {
    expect(html("H<sub>2</sub>O<br>x")).toContain("H<sub>2</sub>O<br>x");
  });
});

describe("Markdown", () => {
  test("links open elsewhere and tell nothing", () => {
    const link = rendered("[a](https://a.example/?x=1&y=2)").querySelector("a")!;
    expect(link.outerHTML).toBe(
      '<a href="https://a.example/?x=1&amp;y=2" target="_blank" rel="noopener noreferrer">a</a>',
    );
  });

  test("an image is a link to it", () => {
    expect(rendered("![a chart](https://a.example/c.png)").querySelector("a")!.textContent).toBe("a chart");
  });

  test("code has its language, colours and a button", () => {
    const code = rendered("```Python title=x\nreturn 1 < 2\n```");
    expect(code.querySelector(".code-head span")!.textContent).toBe("Python");
    expect(code.querySelector(".hljs-keyword")!.textContent).toBe("return");
    expect(code.querySelector("button.copy-code")).not.toBeNull();
    expect(code.querySelector("code")!.textContent).toBe("return 1 < 2\n");
  });

  test("code in an unknown language is shown without colours", () => {
    expect(rendered("```klingon\n<b>\n```").querySelector("code")!.innerHTML).toBe("&lt;b&gt;\n");
  });

  test("tables keep their alignment", () => {
    const table = rendered("| a | b |\n| :- | -: |\n| 1 | **2** |");
    expect(table.querySelector("td.right")!.innerHTML).toBe("<strong>2</strong>");
  });

  test("task lists are boxes that cannot be ticked", () => {
    expect(rendered("- [x] done").querySelector("input")!.disabled).toBe(true);
  });
});

describe("while a text grows", () => {
  const text =
    "# [Title][1]\n\nSome *text*.\n\n```python\nx = 1\n```\n\n- a\n- b\n\n| a |\n| - |\n| 1 |\n\n[1]: https://a.example\n";

  test("finished blocks are not made again", () => {
    const before = renderBlocks("One.\n\nTwo.\n\nThr");
    const after = renderBlocks("One.\n\nTwo.\n\nThree", before);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(after[2]!.html).toContain("Three");
  });

  test("it ends as if it had come at once", () => {
    let blocks = renderBlocks("");
    for (let end = 1; end <= text.length; end++) blocks = renderBlocks(text.slice(0, end), blocks);
    expect(blocks).toEqual(renderBlocks(text));
  });
});
