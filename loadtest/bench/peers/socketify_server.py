"""socketify (uWebSockets): its own topics."""

import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode

app = App()


def message(ws, text, _opcode):
    if text[0] == "S":
        ws.subscribe(text[1:])
        ws.send("OK", OpCode.TEXT)
    else:
        name, _, payload = text[1:].partition(" ")
        app.publish(name, payload, OpCode.TEXT)


app.ws(
    "/",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 64 * 1024,
        "max_backpressure": 64 * 1024 * 1024,
        "idle_timeout": 0,
        "message": message,
    },
)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"), lambda _config: None)
app.run()
