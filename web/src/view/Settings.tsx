import { useSignal } from "@preact/signals";
import { X } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { setOptions } from "../chat/actions";
import { connect } from "../chat/connect";
import { options, panel } from "../chat/state";
import { readTools } from "../conversation/options";
import { apiKey, type Theme, theme } from "../storage/preferences";
import { IconButton } from "./Icon";
import { SamplingFields } from "./SamplingFields";

export function Settings() {
  const aside = useRef<HTMLElement>(null);
  useEffect(() => {
    aside.current!.focus();
    return () => document.querySelector<HTMLElement>(".settings-button")?.focus();
  }, []);
  const close = (): void => void (panel.value = null);
  const key = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    close();
  };
  const { system } = options.value;
  return (
    <aside class="settings" ref={aside} aria-label="Settings" tabIndex={-1} onKeyDown={key}>
      <header>
        <h2>Settings</h2>
        <IconButton icon={X} label="Close settings" onClick={close} />
      </header>
      <p class="note">They hold for this conversation and for those you begin after it.</p>
      <label class="field">
        System prompt
        <textarea
          rows={4}
          placeholder="Who the model is, and how it should answer"
          value={system}
          onInput={(event) => setOptions({ system: event.currentTarget.value })}
        />
      </label>
      <SamplingFields />
      <StopField />
      <button type="button" class="button" onClick={() => setOptions({ sampling: {}, stop: [] })}>
        Back to the server's defaults
      </button>
      <ToolsField />
      <hr />
      <fieldset class="themes">
        <legend>Theme</legend>
        {(["system", "light", "dark"] satisfies Theme[]).map((name) => (
          <label key={name}>
            <input type="radio" name="theme" checked={theme.value === name} onChange={() => (theme.value = name)} />
            {name}
          </label>
        ))}
      </fieldset>
      <KeyField />
    </aside>
  );
}

function StopField() {
  const { stop } = options.value;
  // What is typed has empty lines that are no stop sequences, until something is written in them.
  const typed = useSignal(stop.join("\n"));
  const same = stopsIn(typed.value).join("\n") === stop.join("\n");
  return (
    <label class="field">
      Stop sequences
      <textarea
        rows={2}
        class="mono"
        placeholder="One a line"
        value={same ? typed.value : stop.join("\n")}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          setOptions({ stop: stopsIn(typed.value) });
        }}
      />
    </label>
  );
}

function stopsIn(typed: string): string[] {
  return typed.split("\n").filter(Boolean);
}

const EXAMPLE = `[
  {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
      "type": "object",
      "properties": { "city": { "type": "string" } },
      "required": ["city"]
    }
  }
]`;

function ToolsField() {
  const { tools } = options.value;
  const problem = problemOf(tools);
  return (
    <div class="field">
      <label for="tools">Tools</label>
      <textarea
        id="tools"
        rows={tools ? 9 : 3}
        class="mono"
        spellcheck={false}
        placeholder="Functions that the model may call, as JSON"
        value={tools}
        aria-invalid={problem !== null}
        aria-describedby="tools-problem"
        onInput={(event) => setOptions({ tools: event.currentTarget.value })}
      />
      <p class="problem" id="tools-problem" role="status">
        {problem}
      </p>
      {!tools && (
        <button type="button" class="button text" onClick={() => setOptions({ tools: EXAMPLE })}>
          Put in an example
        </button>
      )}
    </div>
  );
}

function KeyField() {
  const typed = useSignal(apiKey.value);
  const use = (): void => {
    if (apiKey.value === typed.value.trim()) return;
    apiKey.value = typed.value.trim();
    void connect();
  };
  return (
    <label class="field">
      API key
      <input
        type="password"
        autocomplete="off"
        spellcheck={false}
        placeholder="If the server wants one"
        value={typed.value}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onChange={use}
      />
    </label>
  );
}

function problemOf(tools: string): string | null {
  try {
    readTools(tools);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
