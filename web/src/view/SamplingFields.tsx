import { useSignal } from "@preact/signals";
import { setOptions } from "../chat/actions";
import { options } from "../chat/state";
import { readSampling, SAMPLING } from "../conversation/options";

type Field = (typeof SAMPLING)[number];

/** What is sampled like; an empty field leaves it to the server. */
export function SamplingFields() {
  return (
    <fieldset class="sampling">
      <legend>Sampling</legend>
      {SAMPLING.map((field) => (
        <SamplingField key={field.name} field={field} />
      ))}
    </fieldset>
  );
}

function SamplingField({ field: { name, label, min, max, step, hint } }: { field: Field }) {
  const problem = useSignal<string | null>(null);
  const value = options.value.sampling[name];
  const take = (typed: string): void => {
    const read = readSampling(name, typed);
    problem.value = typeof read === "string" ? read : null;
    if (typeof read === "string") return;
    const { [name]: _, ...others } = options.value.sampling;
    setOptions({ sampling: read === undefined ? others : { ...others, [name]: read } });
  };
  return (
    <div class="sampling-field">
      <label for={name}>{label}</label>
      <input
        id={name}
        type="number"
        min={min}
        max={max}
        step={step}
        placeholder="default"
        value={value ?? ""}
        aria-invalid={problem.value !== null}
        aria-describedby={`${name}-hint`}
        onInput={(event) => take(event.currentTarget.value)}
      />
      <p id={`${name}-hint`} class={problem.value ? "problem" : "hint"}>
        {problem.value ?? hint}
      </p>
    </div>
  );
}
