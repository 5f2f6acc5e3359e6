/**
 * Markdown that a model wrote, as HTML that does nothing but show it.
 *
 * Model output is data. HTML in it is shown as text but for a few tags without attributes, images are links (to load one
 * would tell its server what was talked about), and DOMPurify lets pass only what the renderer below makes.
 */

import DOMPurify from "dompurify";
import { type Links, Marked, type Token, type Tokens } from "marked";
import { escape, highlight } from "./highlight";

const HARMLESS_TAG = /^<\/?(br|sub|sup|kbd|mark|u|s|details|summary)\s*\/?>$/i;
const SAFE_ADDRESS = /^(https?:|mailto:)/i;

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => text.replace(/<[^>]*>|[^<]+|</g, (piece) => (HARMLESS_TAG.test(piece) ? piece : escape(piece))),
    image: ({ href, text }) => link(href, escape(text || href)),
    link({ href, tokens }) {
      return link(href, this.parser.parseInline(tokens));
    },
    checkbox: ({ checked }) =>
      `<input type="checkbox" disabled${checked ? " checked" : ""} aria-label="${checked ? "Done" : "To do"}"> `,
    code({ text, lang }) {
      const language = lang?.match(/^[\w+#-]+/)?.[0] ?? "";
      return (
        `<div class="code"><div class="code-head"><span>${escape(language || "text")}</span>` +
        `<button type="button" class="copy-code">Copy</button></div>` +
        `<pre tabindex="0"><code>${highlight(text, language.toLowerCase())}\n</code></pre></div>`
      );
    },
    table({ header, rows }) {
      const row = (tag: string, cells: Tokens.TableCell[]): string =>
        `<tr>${cells.map((cell) => `<${tag}${cell.align ? ` class="${cell.align}"` : ""}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join("")}</tr>`;
      return (
        `<div class="table" role="region" aria-label="Table" tabindex="0"><table><thead>${row("th", header)}</thead>` +
        `<tbody>${rows.map((cells) => row("td", cells)).join("")}</tbody></table></div>`
      );
    },
  },
});

function link(href: string, label: string): string {
  return SAFE_ADDRESS.test(href)
    ? `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer">${label}</a>`
    : label;
}

const ALLOWED = {
  ALLOWED_TAGS: [
    ...[
      "h1",
      "h2",
      "h3",
      "h4",
      "h5",
      "h6",
      "p",
      "br",
      "hr",
      "blockquote",
      "ul",
      "ol",
      "li",
      "a",
      "em",
      "strong",
      "del",
    ],
    ...["code", "pre", "div", "span", "button", "table", "thead", "tbody", "tr", "th", "td", "input"],
    ...["sub", "sup", "kbd", "mark", "u", "s", "details", "summary"],
  ],
  ALLOWED_ATTR: [
    "class",
    "href",
    "target",
    "rel",
    "type",
    "tabindex",
    "role",
    "aria-label",
    "start",
    "checked",
    "disabled",
  ],
  ALLOWED_URI_REGEXP: SAFE_ADDRESS,
  ADD_URI_SAFE_ATTR: ["target", "rel", "type", "tabindex", "role", "start", "checked", "disabled"], // no addresses
};

export interface Block {
  source: string;
  html: string;
}

/**
 * The top-level blocks of a text. While a text grows only its last block changes, so that the others, given from the
 * time before, need not be made again; but for the address of a link, which may come long after it.
 */
export function renderBlocks(text: string, before: Block[] = []): Block[] {
  const tokens = marked.lexer(text);
  const known = Object.keys(tokens.links).length === 0 ? before : [];
  return tokens
    .filter((token) => token.type !== "space" && token.type !== "def")
    .map((token, index) =>
      known[index]?.source === token.raw ? known[index] : { source: token.raw, html: renderToken(token, tokens.links) },
    );
}

function renderToken(token: Token, links: Links): string {
  const html = marked.parser(Object.assign([token], { links }));
  return DOMPurify.sanitize(html, ALLOWED);
}
