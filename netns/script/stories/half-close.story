// The client has said all that it wants to say, and goes on listening: a connection has two directions.

--define=BYTES=5

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = BYTES // up to the end of data
server: +1 sendall(4, 3000) = 3000
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: shutdown(3, SHUT_WR) = 0
client: recvall(3) = 3000
client: close(3) = 0

.5 state(client 3) = FIN-WAIT-2
.5 state(server 3#1) = CLOSE-WAIT
30 state(client 3) = TIME-WAIT
30 state(server 3#1) = CLOSED
