import "@fontsource-variable/bricolage-grotesque/wght.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import "./styles/base.css";
import "./styles/lobby.css";
import "./styles/call.css";
import "./styles/panel.css";
import "./styles/chat.css";

const place = document.getElementById("app");
if (!place) throw new Error("index.html has no place for the application");
createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
