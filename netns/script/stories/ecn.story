// Both stacks are asked to use explicit congestion notification, and agree on it in the handshake (RFC 3168).

--needs="ECN"
--define=BYTES=5

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, BYTES) = BYTES
server: sendall(4, BYTES) = BYTES
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: recvall(3, BYTES) = BYTES
client: close(3) = 0
