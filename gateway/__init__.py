"""The third floor: the doors. WebSocket, HTTP, command line, web page, and the assembly of all parts."""
