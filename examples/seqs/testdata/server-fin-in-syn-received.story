// The handshake's last ACK is lost, and a FIN comes in SYN-RECEIVED: seqs counts it, never acknowledges it and does not tell its
// user. RFC 9293, Section 3.10.7.4, eighth: CLOSE-WAIT.

--fault="drop client ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: close(3) = 0

.5 state(server 3#1) = ESTABLISHED
30 state(server 3#1) = ESTABLISHED
30 state(client 3) = FIN-WAIT-1
