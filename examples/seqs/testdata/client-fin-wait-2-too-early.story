// The FIN is lost, the ACK of the data before it comes: seqs is in FIN-WAIT-2. RFC 9293, Section 3.10.7.4, fifth: only once its
// FIN is acknowledged.

--fault="drop client FIN,ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5) = 5
server: recvall(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: close(3) = 0

.5 state(client 3) = FIN-WAIT-2
.5 state(server 3#1) = ESTABLISHED
