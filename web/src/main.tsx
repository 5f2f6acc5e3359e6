import { render } from "preact";
import "@fontsource-variable/instrument-sans/wght.css";
import "@fontsource-variable/geist-mono/wght.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/sidebar.css";
import "./styles/composer.css";
import "./styles/layout.css";
import "./styles/welcome.css";
import "./styles/cards.css";
import "./styles/messages.css";
import "./styles/prose.css";
import "./styles/panels.css";
import { showAddress, stopAll } from "./chat/actions";
import { connect } from "./chat/connect";
import { refreshList, saveAll } from "./chat/keep";
import { handleKey } from "./chat/shortcuts";
import { App } from "./view/App";

addEventListener("hashchange", () => void showAddress());
addEventListener("keydown", handleKey);
addEventListener("pagehide", () => {
  stopAll();
  saveAll();
});

render(<App />, document.getElementById("app")!);
void connect();
void refreshList();
void showAddress();
