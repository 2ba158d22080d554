import { render } from "preact";
import "./style.css";

function App() {
  return <h1>sinkhole</h1>;
}

const root = document.getElementById("app");
if (root) render(<App />, root);
