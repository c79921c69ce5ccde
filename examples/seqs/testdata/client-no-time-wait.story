// seqs closes first and is done at the last ACK. RFC 9293, Section 3.6.1 (MUST-13): who closes first waits 2 MSL in TIME-WAIT.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: close(3) = 0

.035 state(client 3) = FIN-WAIT-1
.050 state(client 3) = CLOSED
