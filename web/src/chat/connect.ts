/** Find the server and what it serves, and find it again when it was gone. */

import { listModels, ServerFailure } from "../server/client";
import { apiKey } from "../storage/preferences";
import { connection, models, panel } from "./state";

const RETRY_MS = 3000;
let retry: ReturnType<typeof setTimeout> | undefined;

export async function connect(): Promise<void> {
  clearTimeout(retry);
  try {
    models.value = await listModels(apiKey.value);
    connection.value = "ready";
  } catch (error) {
    if (error instanceof ServerFailure && error.failure.kind === "key") {
      connection.value = "key";
      panel.value = "key";
      return;
    }
    lostConnection();
  }
}

/** Say that the server is gone, and look for it until it is back. */
export function lostConnection(): void {
  connection.value = "unreachable";
  clearTimeout(retry);
  retry = setTimeout(() => void connect(), RETRY_MS);
}
