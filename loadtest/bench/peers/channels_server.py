"""Django Channels on uvicorn with the layer that lives in memory, large enough to lose nothing."""

import sys

import uvicorn
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 100_000}}
    }
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402


class Door(AsyncWebsocketConsumer):
    """One connection."""

    async def connect(self) -> None:
        self.heard: list[str] = []
        await self.accept()

    async def disconnect(self, code: int) -> None:
        for name in self.heard:
            await self.channel_layer.group_discard(name, self.channel_name)

    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        if text_data[0] == "S":
            name = "c" + text_data[1:]
            self.heard.append(name)
            await self.channel_layer.group_add(name, self.channel_name)
            await self.send(text_data="OK")
        else:
            name, _, payload = text_data[1:].partition(" ")
            await self.channel_layer.group_send("c" + name, {"type": "told", "text": payload})

    async def told(self, event: dict) -> None:
        await self.send(text_data=event["text"])


if __name__ == "__main__":
    uvicorn.run(
        Door.as_asgi(),
        port=int(sys.argv[1]),
        loop="uvloop",
        lifespan="off",
        log_level="warning",
        ws_per_message_deflate=False,
        backlog=4096,
    )
