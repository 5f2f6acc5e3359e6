import { Code, FileText, Image, Wrench } from "lucide";
import { startWith } from "../chat/draft";
import { panel } from "../chat/state";
import { Icon } from "./Icon";
import { Mark } from "./Mark";

const CODE = "What does this code do, and what could go wrong with it?\n\n```\n\n```";

const STARTERS = [
  { icon: Image, title: "Show a picture", text: "Paste it, drop it or choose a file", run: chooseFile },
  { icon: FileText, title: "Read a document", text: "Drop a PDF and ask about it", run: chooseFile },
  { icon: Code, title: "Look through code", text: "Explained, reviewed, mended", run: () => startWith(CODE, CODE.length - 4) },
  { icon: Wrench, title: "Call your tools", text: "Define functions; confirm each call", run: () => void (panel.value = "settings") },
];

/** Long lines that a wind draws. */
const LINES = [
  "M-40 90C180 40 330 150 560 96S900 30 1240 92",
  "M-40 150C220 110 360 200 600 150S980 100 1240 160",
  "M-40 214C160 180 420 262 640 210S1000 168 1240 226",
  "M-40 280C240 250 380 322 660 276S1020 236 1240 288",
];

export function Welcome() {
  return (
    <div class="welcome">
      <svg class="wind" viewBox="0 0 1200 360" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
        {LINES.map((line) => (
          <path key={line} d={line} pathLength={100} />
        ))}
      </svg>
      <div class="welcome-content">
        <Mark size={52} />
        <h2>What shall we work on?</h2>
        <p>The model runs on your own server. What you write stays between it and this browser.</p>
        <div class="starters">
          {STARTERS.map(({ icon, title, text, run }) => (
            <button type="button" class="starter" key={title} onClick={run}>
              <Icon of={icon} size={20} />
              <strong>{title}</strong>
              <span>{text}</span>
            </button>
          ))}
        </div>
      </div>
    </div>
  );
}

function chooseFile(): void {
  document.getElementById("files")?.click();
}
