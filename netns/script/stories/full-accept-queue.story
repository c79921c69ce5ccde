// The server is slow to accept. Its queue takes one connection more than its backlog; who comes then has to wait.

--define=BACKLOG=1

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, BACKLOG) = 0

client.1-3: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-3: connect(3, server:80) = 0

.5 info(server 3, "accept queue") = 2
.5 state(server 3) = LISTEN

// Only now does the server accept.
server: 5 accept(3, ..., ...) = 4
server: accept(3, ..., ...) = 5
server: accept(3, ..., ...) = 6
