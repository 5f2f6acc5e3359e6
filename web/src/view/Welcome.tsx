import { Code, FileText, Image, Wrench } from "lucide";
import { startWith } from "../chat/draft";
import { panel } from "../chat/state";
import { Icon } from "./Icon";
import { Mark } from "./Mark";

const CODE = "What does this code do, and what could go wrong with it?\n\n```\n\n```";

const STARTERS = [
  { icon: Image, title: "Show a picture", text: "Paste it, drop it or choose a file", run: chooseFile },
  { icon: FileText, title: "Read a document", text: "Drop a PDF and ask about it", run: chooseFile },
  {
    icon: Code,
    title: "Look through code",
    text: "Explained, reviewed, mended",
    run: () => startWith(CODE, CODE.length - 4),
  },
  {
    icon: Wrench,
    title: "Call your tools",
    text: "Define functions; confirm each call",
    run: () => void (panel.value = "settings"),
  },
];

/** Long lines that a wind draws. */
const LINES = [
  "M-40 46C180 10 330 96 560 50S900 8 1240 52",
  "M-40 92C220 60 360 134 600 94S980 50 1240 98",
  "M-40 134C160 104 420 176 640 138S1000 98 1240 148",
  "M-40 172C240 148 380 206 660 174S1020 140 1240 182",
];

export function Welcome() {
  return (
    <div class="welcome">
      <svg class="wind" viewBox="0 0 1200 220" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
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
