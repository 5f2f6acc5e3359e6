/** The body of OpenAI's chat completion request for a path of messages. */

import type { Attachment, Message, ToolCall, ToolMessage } from "./messages";
import { type Options, readTools } from "./options";
import { resultsOf } from "./tree";

const UNANSWERED = "The user did not run this tool.";

export function requestBody(model: string, options: Options, path: Message[]): Record<string, unknown> {
  const tools = readTools(options.tools);
  return {
    model,
    messages: [...(options.system.trim() ? [{ role: "system", content: options.system }] : []), ...wireMessages(path)],
    stream: true,
    stream_options: { include_usage: true },
    ...options.sampling,
    ...(options.stop.length > 0 && { stop: options.stop }),
    ...(tools.length > 0 && { tools }),
  };
}

/** Each call is followed by one result, in the calls' order, whatever the order in which they were given. */
function wireMessages(path: Message[]): Record<string, unknown>[] {
  return path.flatMap((message) => {
    switch (message.role) {
      case "user":
        return [{ role: "user", content: userContent(message.text, message.attachments) }];
      case "assistant":
        return assistantMessages(message.text, message.toolCalls, resultsOf(path, message.id));
      case "tool":
        return [];
    }
  });
}

function assistantMessages(
  text: string,
  calls: ToolCall[],
  results: Map<string, ToolMessage>,
): Record<string, unknown>[] {
  if (calls.length === 0) return text ? [{ role: "assistant", content: text }] : [];
  const toolCalls = calls.map(({ id, name, arguments: json }) => ({
    id,
    type: "function",
    function: { name, arguments: json },
  }));
  return [
    { role: "assistant", content: text || null, tool_calls: toolCalls },
    ...calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: results.get(id)?.text ?? UNANSWERED })),
  ];
}

function userContent(text: string, attachments: Attachment[]): unknown {
  if (attachments.length === 0) return text;
  return [...attachments.map(part), ...(text ? [{ type: "text", text }] : [])];
}

function part({ kind, name, data }: Attachment): Record<string, unknown> {
  switch (kind) {
    case "image":
      return { type: "image_url", image_url: { url: data } };
    case "pdf":
      return { type: "file", file: { filename: name, file_data: data } };
    case "text":
      return { type: "text", text: `File ${name}:\n\n${data}\n` };
  }
}
