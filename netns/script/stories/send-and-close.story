// The client sends and closes at once. Nothing gets lost: the FIN comes behind the data.

--define=BYTES=3000

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: +1 recvall(4) = BYTES // up to the end of data, which the FIN is
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: close(3) = 0

.025 state(client 3) = FIN-WAIT-1 // no descriptor any more, and the data are still on their way
.5 state(client 3) = FIN-WAIT-2
.5 state(server 3#1) = CLOSE-WAIT
