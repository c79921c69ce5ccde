// Reads diagrams, a JSON array of texts, from standard input, has Mermaid read each, and writes what Mermaid understood:
// a JSON array of {"error"} or {"title", "actors", "messages": [{"type", "text"}]}. The packages lie in the folder that
// is the argument.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const require = createRequire(process.argv[2] + "/");
const { JSDOM } = require("jsdom");
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
runInThisContext(readFileSync(require.resolve("@mermaid-js/tiny"), "utf8"));

// What Mermaid keeps of an entity until it draws, it undoes in the finished picture.
const entity = (text) => {
  const element = document.createElement("p");
  element.innerHTML = text.replace(/ﬂ°°/g, "&#").replace(/ﬂ°/g, "&").replace(/¶ß/g, ";");
  return element.innerHTML === "" ? "" : [...element.childNodes].map((n) => (n.nodeName === "BR" ? "\n" : n.textContent)).join("");
};

await mermaid.parse("sequenceDiagram"); // from now on it knows its kinds of diagrams
const understood = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    understood.push({
      title: entity(db.getDiagramTitle()),
      actors: [...db.getActors()].map(([name, actor]) => [name, entity(actor.description)]),
      messages: db.getMessages().map((m) => ({ from: m.from ?? "", to: m.to ?? "", type: m.type, placement: m.placement ?? -1, text: entity(m.message) })),
      limit: mermaid.mermaidAPI.defaultConfig.maxTextSize,
    });
  } catch (error) {
    understood.push({ error: String(error.message ?? error) });
  }
}
process.stdout.write(JSON.stringify(understood));
