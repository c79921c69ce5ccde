// The server reads nothing for five seconds. Its receive buffer fills, the window closes, and the client has to wait.

--define=BYTES=8000

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: setsockopt(3, SOL_SOCKET, SO_RCVBUF, [4096], 4) = 0
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 5 recvall(4) = BYTES
server: close(4) = 0

// To the client's program all is sent at once: the octets are in the send buffer.
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: +.1 close(3) = 0

// The window is closed, and only probes go out. What is left of it at the end is less than a segment: it may be filled
// only after a while (RFC 9293, Section 3.8.6.2.1).
1 info(client 3, "SND.WND") = 0
4 info(client 3, "SND.WND") = 0
4 state(client 3) = FIN-WAIT-1 // a FIN that waits behind the data

30 state(client 3) = TIME-WAIT
30 state(server 3#1) = CLOSED
