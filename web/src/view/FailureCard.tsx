import { useSignal } from "@preact/signals";
import { CircleAlert } from "lucide";
import { useEffect } from "preact/hooks";
import { retry } from "../chat/actions";
import { busy, panel } from "../chat/state";
import type { AssistantMessage, Failure } from "../conversation/messages";
import { Icon } from "./Icon";

const TITLES: Record<Failure["kind"], string> = {
  unreachable: "No connection",
  key: "API key needed",
  busy: "The server is busy",
  refused: "The server refused this request",
  failed: "The server failed",
  broken: "Connection lost",
};

/** Younger failures of a busy server are tried again without a click; one that was loaded with the page is not. */
const JUST_NOW = 3000;

export function FailureCard({ message, failure }: { message: AssistantMessage; failure: Failure }) {
  const seconds = useCountdown(failure, () => retry(message));
  return (
    <div class="failure" role="alert">
      <Icon of={CircleAlert} />
      <div>
        <strong>{TITLES[failure.kind]}</strong>
        <p>{failure.message}</p>
        {seconds !== null && <p class="countdown">Trying again in {seconds} s.</p>}
      </div>
      {failure.kind === "key" ? (
        <button type="button" class="button" onClick={() => (panel.value = "key")}>
          Enter key
        </button>
      ) : (
        <button type="button" class="button" disabled={busy.value} onClick={() => retry(message)}>
          {failure.kind === "busy" ? "Try now" : "Try again"}
        </button>
      )}
    </div>
  );
}

/** Seconds until a request that came too early is sent again, or null where it is not. */
function useCountdown(failure: Failure, run: () => void): number | null {
  const left = useSignal<number | null>(
    failure.retryAt !== undefined && failure.retryAt > Date.now() - JUST_NOW ? secondsTo(failure.retryAt) : null,
  );
  useEffect(() => {
    if (left.value === null) return;
    const timer = setInterval(() => {
      left.value = secondsTo(failure.retryAt!);
      if (left.value > 0) return;
      left.value = null;
      clearInterval(timer);
      run();
    }, 250);
    return () => clearInterval(timer);
  }, [failure]);
  return left.value;
}

function secondsTo(time: number): number {
  return Math.max(0, Math.ceil((time - Date.now()) / 1000));
}
