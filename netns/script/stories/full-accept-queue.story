// The server is slow to accept. Its queue holds one connection more than the backlog; the third client has to wait,
// and does not know it.

--define=BACKLOG=1

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, BACKLOG) = 0

client.1-3: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-3: connect(3, server:80) = 0
client.1-3: 1 sendall(3, 5) = 5

.5 info(server 3, "accept queue") = 2
.5 state(client.3 3) = ESTABLISHED // so it believes: the server has dropped its ACK

// Only now does the server accept.
server: 5 accept(3, ..., ...) = 4
server: accept(3, ..., ...) = 5
server: accept(3, ..., ...) = 6
server: recvall(6, 5) = 5
