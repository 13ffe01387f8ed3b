// Node's `ws`: the loop over `send` of its documentation.
import { WebSocketServer } from "ws";

const channels = new Map();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
  backlog: 4096,
});
const text = { binary: false };

server.on("connection", (ws) => {
  const heard = [];
  ws.on("message", (data) => {
    const said = data.toString("latin1");
    if (said[0] === "S") {
      const name = said.slice(1);
      if (!channels.has(name)) channels.set(name, new Set());
      channels.get(name).add(ws);
      heard.push(name);
      ws.send("OK");
    } else {
      const space = said.indexOf(" ");
      const payload = data.subarray(space + 1);
      for (const member of channels.get(said.slice(1, space)) ?? []) member.send(payload, text);
    }
  });
  ws.on("close", () => heard.forEach((name) => channels.get(name).delete(ws)));
});
