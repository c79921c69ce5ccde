// Data that wait when the FIN comes are thrown away, and the user is told of the end of data. RFC 9293, Section 3.10.3: RECEIVE in
// CLOSE-WAIT gives what there is.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 recv(4, ..., 100, 0) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: +.5 close(3) = 0

.5 info(server 3#1, "receive buffer used") = 5
.9 info(server 3#1, "receive buffer used") = 0
