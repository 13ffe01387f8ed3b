// socket.io on Node: its own rooms, WebSocket only.
import { Server } from "socket.io";

const io = new Server(Number(process.argv[2]), {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
});

io.on("connection", (socket) => {
  socket.on("join", (name) => {
    socket.join(name);
    socket.emit("joined");
  });
  socket.on("pub", (name, payload) => io.to(name).emit("e", payload));
});
